"""`uns quality`: models that predict scrap, trained offline, judged on later time, written into the plant folder."""
