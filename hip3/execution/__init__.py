"""May we, and when: gates, scheduler, tick, posts in flight, readiness."""
