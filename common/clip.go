package common

// Clip returns the text with at most that many characters. It shows by an
// ellipsis that something is left out.
func Clip(text string, most int) string {
	if len(text) <= most { // so many characters at most
		return text
	}
	n := 0
	for i := range text {
		if n == most {
			return text[:i] + "…"
		}
		n++
	}
	return text
}
