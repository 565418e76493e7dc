package order

import "unicode/utf8"

// Nearest returns the entry of known that word was most likely meant to be,
// and false when nothing there is close. Case and the choice between "-" and
// "_" count for nothing, a swap of two neighbours counts as one slip, and one
// slip in three letters is forgiven. On a tie the earlier entry wins.
func Nearest(word string, known []string) (string, bool) {
	const longest = 64 // a longer word is no slip of the finger
	if utf8.RuneCountInString(word) > longest {
		return "", false
	}
	typed := foldKey(word)
	best, bestSlips := "", -1
	for _, candidate := range known {
		meant := foldKey(candidate)
		slips := editDistance(typed, meant)
		if slips <= max(len(typed), len(meant))/3 && (bestSlips < 0 || slips < bestSlips) {
			best, bestSlips = candidate, slips
		}
	}
	return best, bestSlips >= 0
}

// foldKey returns s as comparable letters: ASCII case and dashes levelled.
func foldKey(s string) []rune {
	folded := []rune(s)
	for i, r := range folded {
		switch {
		case r >= 'A' && r <= 'Z':
			folded[i] = r + 'a' - 'A'
		case r == '-':
			folded[i] = '_'
		}
	}
	return folded
}

// editDistance counts the insertions, deletions, substitutions and swaps of
// neighbours that turn a into b (optimal string alignment).
func editDistance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
