package timeline

import (
	"strings"

	"github.com/veche-im/veche/client/api"
)

// rich parses Markdown into what front ends show.
func rich(text string) []api.Block {
	if text == "" {
		return nil
	}
	return []api.Block{{Kind: "paragraph", Spans: []api.Span{{Kind: "text", Text: text}}}}
}

// plain is a text without its line breaks, for one line.
func plain(text string) string { return strings.Join(strings.Fields(text), " ") }
