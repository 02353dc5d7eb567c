"""`manage.py doctor`: looks at everything the platform stands on, and says how to mend what is wrong."""
