"""What leaves: the queue, the tick, posts in flight, replies."""
