"""What lies in the toy folders is no test of ours: test_adding.py copies each into an environment and runs it there."""

collect_ignore_glob = ["toy_*"]
