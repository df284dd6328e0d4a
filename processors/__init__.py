"""Pure folds: everything derived is a function of one line's log. No I/O, no clock, no chance."""
