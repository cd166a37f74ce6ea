"""Networks and their cards, and the devices that they run on."""
