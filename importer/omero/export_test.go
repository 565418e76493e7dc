package omero

// ServerTime is serverTime.
var ServerTime = &serverTime
