package web

import "time"

// Hurry makes a client try again at once, and wait for a server for two seconds at most.
func (c *Client) Hurry() {
	c.pace = pace{times: 3, min: time.Millisecond, max: 5 * time.Millisecond, longestBy: 2 * time.Second}
}
