"""What people do at the page: each deed becomes facts, checked, told with who said it and when, and taken back by facts."""
