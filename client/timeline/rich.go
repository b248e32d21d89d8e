package timeline

import (
	"strings"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/e2ee/content"
)

// rich parses Markdown into what front ends show.
func rich(text string) []api.Block {
	var out []api.Block
	for _, b := range content.Parse(text) {
		a := api.Block{Kind: string(b.Kind), Spans: spans(b.Spans), Lang: b.Lang}
		for _, item := range b.Items {
			a.Items = append(a.Items, spans(item))
		}
		out = append(out, a)
	}
	return out
}

func spans(list []content.Span) []api.Span {
	var out []api.Span
	for _, s := range list {
		out = append(out, api.Span{Kind: string(s.Kind), Text: s.Text, Href: s.Href, Spans: spans(s.Spans)})
	}
	return out
}

// plain is a text without markup, on one line.
func plain(text string) string {
	return strings.Join(strings.Fields(content.Plain(content.Parse(text))), " ")
}
