"""What several protocols need, once: times, what a payload says, and asking again and again (`polling`)."""
