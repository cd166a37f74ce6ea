"""What each kind of network is trained at and calibrated on."""
