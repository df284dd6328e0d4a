"""Which machine holds the line up, by the active period method and by what its neighbours do."""
