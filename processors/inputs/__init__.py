"""What comes in: samples by role, counters, pieces, facts, the schedule, signs of life; each checked before it is kept."""
