"""The line screen: the board that folds derived records, its cards and charts."""
