"""Learning one scene."""
