"""Who is at the page, and what they may do: users, roles by place, sessions, and the guard before every request."""
