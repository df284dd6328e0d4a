"""Devices that are asked again and again: what every polled protocol needs beside its own words."""
