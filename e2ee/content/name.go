package content

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// mediaType splits a media type into its lower-case type and its parameters.
// What is not one has the type "".
func mediaType(s string) (base string, params map[string]string) {
	parts := strings.Split(strings.ToLower(s), ";")
	base = strings.TrimSpace(parts[0])
	if !isMediaType(base) {
		return "", nil
	}
	params = map[string]string{}
	for _, p := range parts[1:] {
		if k, v, ok := strings.Cut(p, "="); ok {
			params[strings.TrimSpace(k)] = strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return base, params
}

// isMediaType reports whether s is a type and a subtype, RFC 6838 §4.2.
func isMediaType(s string) bool {
	major, minor, ok := strings.Cut(s, "/")
	if !ok || len(s) > 127 {
		return false
	}
	for _, name := range [...]string{major, minor} {
		if name == "" {
			return false
		}
		for _, c := range name {
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.ContainsRune("!#$&-^_.+", c)) {
				return false
			}
		}
	}
	return true
}

// SafeName makes a file's name good to show and to save on any system: no path,
// no control characters, nothing that turns the direction of writing (which
// makes "gpj.exe" look like "exe.jpg"), no name that a system keeps for itself,
// not hidden, at most MaxFileName bytes with its ending kept.
func SafeName(name string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(name, "_") {
		if unicode.IsControl(r) || isInvisible(r) || strings.ContainsRune(`/\:*?"<>|`, r) {
			r = '_'
		}
		b.WriteRune(r)
	}
	// Windows drops dots and spaces at the end, others hide what begins with one.
	name = strings.TrimRight(shorten(strings.TrimLeft(b.String(), " ")), " .")
	if strings.HasPrefix(name, ".") {
		name = "_" + name[1:]
	}
	if name == "" {
		return "file"
	}
	stem, _, _ := strings.Cut(name, ".")
	if isDevice(strings.TrimRight(stem, " ")) {
		name = "_" + name
	}
	return strings.TrimRight(shorten(name), " .")
}

// isInvisible reports whether r changes how others are shown and is itself not
// seen: format characters, but for the joiners that scripts and emoji need.
func isInvisible(r rune) bool {
	const nonJoiner, joiner = '\u200c', '\u200d'
	return unicode.Is(unicode.Cf, r) && r != nonJoiner && r != joiner || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
}

// isDevice reports whether Windows opens a device under this name.
func isDevice(stem string) bool {
	s := strings.ToUpper(stem)
	switch s {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	return len(s) == 4 && (strings.HasPrefix(s, "COM") || strings.HasPrefix(s, "LPT")) && s[3] >= '0' && s[3] <= '9'
}

// shorten cuts a name to MaxFileName bytes between characters, keeping an ending
// of up to 16 bytes.
func shorten(name string) string {
	if len(name) <= MaxFileName {
		return name
	}
	ending := ""
	if dot := strings.LastIndexByte(name, '.'); dot > 0 && len(name)-dot <= 16 {
		ending = name[dot:]
	}
	cut := MaxFileName - len(ending)
	for !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut] + ending
}

// roomName reports whether name can be a room's: 1 to MaxRoomName characters,
// none of them invisible, no space at its ends.
func roomName(name string) bool {
	if !utf8.ValidString(name) || name == "" || utf8.RuneCountInString(name) > MaxRoomName || strings.TrimSpace(name) != name {
		return false
	}
	for _, r := range name {
		if unicode.IsControl(r) || isInvisible(r) {
			return false
		}
	}
	return true
}
