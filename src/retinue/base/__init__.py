"""The ground every room stands on: settings, database, storage, errors, time, names, observation."""
