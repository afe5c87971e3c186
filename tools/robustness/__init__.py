"""Long runs that try to break the project: damaged inputs by the thousand, stages killed on the way."""
