// Package pyramid writes planes as pages of tiles, each with versions of half its
// size, a quarter, and so on, as OME-TIFF 6 has them. The rows of a plane pass
// through once: a row of tiles of each level is all that is held.
package pyramid
