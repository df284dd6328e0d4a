"""What every process needs: settings, clock, telemetry, supervised children, locks, ports."""
