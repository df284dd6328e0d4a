"""Alarms after ISA-18.2: when a condition holds, what state an alarm is in, how the alarm system itself does."""
