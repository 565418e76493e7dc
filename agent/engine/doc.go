// Package engine carries orders out. A dispatcher takes up what waits, in fair
// turns, for as many workers as are free; a worker takes its order through the
// steps and ends it, once, or puts it back. What an agent that is gone had taken up
// is resumed by another.
//
// An agent holds a lock on the database for as long as it works. When that is lost
// it stops what it does before anybody else may begin with it, and what it still
// writes counts for nothing: an order belongs to its latest run.
//
// Files of an order with a converter are converted first, each by a container. What
// was made is noted before it is imported from a temporary copy, links then lead to where
// it stays, the import is noted, and only then the copy goes. Whoever resumes the order
// goes on behind the last of these steps, and finds the container if that still runs.
package engine
