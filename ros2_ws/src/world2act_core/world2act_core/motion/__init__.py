"""From action chunks at 10-20 Hz to a smooth reference at 100 Hz and more."""
