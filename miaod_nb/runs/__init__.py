"""Run folders: their files, the lock, the session at work on one, and what runs share."""
