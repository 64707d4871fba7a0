"""System checks of the frame."""
