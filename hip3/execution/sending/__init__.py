"""What leaves: the queue, the tick, posts in flight, replies.

The order of one action: `scheduler` (waits), `loop` (judged again, nonce, signed, recorded), `posts` (in flight),
`replies` (what the answer says of each order). `cloids` names orders, `identity` says who signs, `address_budget`
counts what the exchange lets the account send.
"""
