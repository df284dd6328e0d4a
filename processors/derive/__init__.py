"""What is said of a timeline, a module a class of records: state, downtime, production, OEE, KPIs, alerts."""
