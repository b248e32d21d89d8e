package content

import (
	"fmt"
	"strings"
	"testing"

	"github.com/veche-im/veche/wire"
)

// show writes a tree in a form that is easy to compare: one line for a block,
// kinds before their content in brackets.
func show(list []Block) string {
	var lines []string
	for _, b := range list {
		line := string(b.Kind)
		if b.Lang != "" {
			line += ":" + b.Lang
		}
		line += showSpans(b.Spans)
		for _, item := range b.Items {
			line += " -" + showSpans(item)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func showSpans(list []Span) string {
	out := ""
	for _, s := range list {
		switch s.Kind {
		case TextSpan:
			out += fmt.Sprintf(" %q", s.Text)
		case Break:
			out += " /"
		default:
			inside := s.Href + showSpans(s.Spans)
			if s.Text != "" {
				inside += fmt.Sprintf("%q", s.Text)
			}
			if !s.Account.IsZero() {
				inside += "@" + s.Account.String()[:4]
			}
			out += fmt.Sprintf(" %s(%s)", s.Kind, inside)
		}
	}
	return out
}

func TestParse(t *testing.T) {
	ann := wire.AccountID{1}
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"\n \n", ""},
		{"hello", `paragraph "hello"`},
		{"  one\ntwo  \n\nthree", "paragraph \"one\" / \"two\"\nparagraph \"three\""},
		{"a\r\nb\rc", `paragraph "a" / "b" / "c"`},

		{"**bold** and *it* and _it_ and __bold__", `paragraph bold( "bold") " and " italic( "it") " and " italic( "it") " and " bold( "bold")`},
		{"***both***", `paragraph italic( bold( "both"))`},
		{"~~gone~~ ~not~ ~~~x~~~", `paragraph strike( "gone") " ~not~ ~~~x~~~"`},
		{"**a *b* c**", `paragraph bold( "a " italic( "b") " c")`},
		{"*a **b* c**", `paragraph italic( "a " italic( italic( "b") " c"))`},
		{"snake_case_name and 2*3*4", `paragraph "snake_case_name and 2" italic( "3") "4"`},
		{"2 * 3 * 4", `paragraph "2 * 3 * 4"`},
		{"**open", `paragraph "**open"`},
		{"close**", `paragraph "close**"`},
		{"****", `paragraph "****"`},
		{"*a\nb*", `paragraph italic( "a" / "b")`},
		{"**жирный**текст", `paragraph bold( "жирный") "текст"`},
		{"не_выделять_это", `paragraph "не_выделять_это"`},
		{"(*a*)", `paragraph "(" italic( "a") ")"`},

		{"`code` and ``a ` b``", "paragraph code(\"code\") \" and \" code(\"a ` b\")"},
		{"`open", "paragraph \"`open\""},
		{"`**not bold**`", `paragraph code("**not bold**")`},
		{"**a `b** c`", "paragraph \"**a \" code(\"b** c\")"},
		{"` a `", `paragraph code("a")`},
		{"`a\nb`", `paragraph code("a b")`},
		{`\*not\* \a \\`, `paragraph "*not* \\a \\"`},

		{"[a](https://example.com/x?y=1)", `paragraph link(https://example.com/x?y=1 "a")`},
		{"[a *b*](HTTP://example.com)", `paragraph link(HTTP://example.com "a " italic( "b"))`},
		{"[a](mailto:ann@example.com)", `paragraph link(mailto:ann@example.com "a")`},
		{"[a](https://example.com/(b))", `paragraph link(https://example.com/(b) "a")`},
		{"[a](javascript:alert(1))", `paragraph "[a](javascript:alert(1))"`},
		{"[a](data:text/html,x)", `paragraph "[a](data:text/html,x)"`},
		{"[a](file:///etc/passwd)", `paragraph "[a](file:///etc/passwd)"`},
		{"[a](//example.com)", `paragraph "[a](//example.com)"`},
		{"[a](/admin)", `paragraph "[a](/admin)"`},
		{"[a](https://)", `paragraph "[a](https://)"`},
		{"[a](https://bank.example@evil.example/)", `paragraph "[a](" "` + `X"`},
		{"[a](https://example.com/\u202e)", `X`},
		{"[a]( https://example.com)", `X`},
		{"[](https://example.com)", `paragraph "[](" link(https://example.com "https://example.com") ")"`},
		{"[a]", `paragraph "[a]"`},
		{"a](https://example.com)", `paragraph "a](" link(https://example.com "https://example.com") ")"`},
		{"[[a](https://one.example)](https://two.example)",
			`paragraph "[" link(https://one.example "a") "](" link(https://two.example "https://two.example") ")"`},
		{"*[a*](https://example.com)", `paragraph "*" link(https://example.com "a*")`},
		{"[@Ann](veche:account:" + ann.String() + ") hi", `paragraph mention("@Ann"@aeaa) " hi"`},
		{"[@*Ann*](veche:account:" + ann.String() + ")", `paragraph mention("@Ann"@aeaa)`},
		{"[@Ann](veche:account:x)", `paragraph "[@Ann](veche:account:x)"`},
		{"see https://example.com/a_b_c, and (http://x.example/(y)).",
			`paragraph "see " link(https://example.com/a_b_c "https://example.com/a_b_c") ", and (" link(http://x.example/(y) "http://x.example/(y)") ")."`},
		{"xhttps://example.com", `paragraph "xhttps://example.com"`},
		{"<https://example.com/a> <b>", `paragraph link(https://example.com/a "https://example.com/a") " <b>"`},
		{"<script>alert(1)</script> &amp;", `paragraph "<script>alert(1)</script> &amp;"`},
		{"**https://example.com**", `paragraph bold( link(https://example.com "https://example.com"))`},
		{"http and https:// alone", `paragraph "http and https:// alone"`},

		{"```go\nfunc main() {}\n\n**x**\n```\nafter", "code:go \"func main() {}\\n\\n**x**\"\nparagraph \"after\""},
		{"```\nopen\nto the end", `code "open\nto the end"`},
		{"~~~\na\n```\n~~~", "code \"a\\n```\""},
		{"````\n```\n````", "code \"```\""},
		{"```<b onclick=x>\na\n```", `code "a"`},
		{"```a`b```", "paragraph code(\"a`b\")"},
		{"```\n```", "code \"\""},
		{"> a\n> > b\n>c\nd", "quote \"a\" / \"b\" / \"c\"\nparagraph \"d\""},
		{"> *a\n> b*", `quote italic( "a" / "b")`},
		{"Buy:\n- milk\n- **bread**\n  rye\nnow", "paragraph \"Buy:\"\nlist - \"milk\" - bold( \"bread\") / \"rye\"\nparagraph \"now\""},
		{"* a\n+ b", `list - "a" - "b"`},
		{"1. a\n2) b\n4. c", "ordered - \"a\" - \"b\"\nparagraph \"4. c\""},
		{"1986. What a year", `paragraph "1986. What a year"`},
		{"-5 degrees", `paragraph "-5 degrees"`},
		{"- ", `paragraph "-"`},
		{"---", `paragraph "---"`},
		{"# not a heading", `paragraph "# not a heading"`},
	} {
		got := show(Parse(tt.text))
		if strings.HasSuffix(tt.want, `X"`) || tt.want == "X" {
			if strings.Contains(got, "link(https://bank") || strings.Contains(got, "\u202e ") || strings.HasPrefix(got, `paragraph link(`) {
				t.Errorf("%q became\n%s", tt.text, got)
			}
			continue
		}
		if got != tt.want {
			t.Errorf("%q became\n%s\nwant\n%s", tt.text, got, tt.want)
		}
	}
}

func TestPlain(t *testing.T) {
	text := "**Hi** [you](https://example.com)\n\n- a\n- `b`\n\n> c\n```\nd\ne\n```"
	if got := Plain(Parse(text)); got != "Hi you a b c d e" {
		t.Errorf("got %q", got)
	}
}

// depth is how deep spans lie in spans.
func depth(list []Span) int {
	d := 0
	for i := range list {
		d = max(d, 1+depth(list[i].Spans))
	}
	return d
}

// TestHostileMarkdown: what makes naive parsers slow or their callers overflow
// is done with in steps that its length bounds. The steps are counted by what is
// allocated, not by a clock.
func TestHostileMarkdown(t *testing.T) {
	const n = MaxText
	for name, text := range map[string]string{
		"stars":             strings.Repeat("*", n),
		"open stars":        strings.Repeat("*a ", n/3),
		"close stars":       strings.Repeat("a* ", n/3),
		"open then close":   strings.Repeat("*a ", n/6) + strings.Repeat("a* ", n/6),
		"mixed":             strings.Repeat("*a_b~~c", n/8) + strings.Repeat("c~~b_a*", n/8),
		"deep":              strings.Repeat("*_", n/4) + "a" + strings.Repeat("_*", n/4),
		"brackets":          strings.Repeat("[", n),
		"closing brackets":  strings.Repeat("]", n),
		"links that fail":   strings.Repeat("[a](", n/4),
		"links in links":    strings.Repeat("[", n/4) + strings.Repeat("](http://x.yz)", n/20),
		"long targets":      strings.Repeat("[a](http://"+strings.Repeat("x", 200)+" ", n/212),
		"ticks":             strings.Repeat("`", n),
		"growing ticks":     growing("`", n),
		"addresses":         strings.Repeat("http://", n/7),
		"letters h":         strings.Repeat("h", n),
		"angle brackets":    strings.Repeat("<http://", n/8),
		"brackets at end":   "http://x.yz/" + strings.Repeat(")", n-20),
		"quotes":            strings.Repeat("> ", n/2),
		"backslashes":       strings.Repeat("\\", n),
		"lists":             strings.Repeat("- a\n", n/4),
		"fences":            strings.Repeat("```\n", n/4),
		"new lines":         strings.Repeat("a\n", n/2),
		"empty lines":       strings.Repeat("\n", n),
		"continued items":   "- a\n" + strings.Repeat("  b\n", n/5),
		"stars and letters": strings.Repeat("**a*", n/4),
	} {
		t.Run(name, func(t *testing.T) {
			var blocks []Block
			allocs := testing.AllocsPerRun(1, func() { blocks = Parse(text) })
			if limit := float64(40 * n); allocs > limit {
				t.Errorf("%.0f allocations", allocs)
			}
			for _, b := range blocks {
				if d := depth(b.Spans); d > maxNested+1 {
					t.Errorf("spans lie %d deep", d)
				}
			}
		})
	}
}

// growing is a run of 1, of 2, of 3 … of mark, with letters between.
func growing(mark string, n int) string {
	var b strings.Builder
	for i := 1; b.Len() < n; i++ {
		b.WriteString(strings.Repeat(mark, i) + "a")
	}
	return b.String()
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"**a** *b*", "[a](http://x.yz)", "- a\n  b", "> `c`", "```go\nx\n```", "1. a\n2. b", `\*`, "~~a~~ <http://x.yz>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, b := range Parse(s) {
			if b.Kind == CodeBlock {
				continue // plain text, perhaps none
			}
			checkSpans(t, b.Spans)
			for _, i := range b.Items {
				checkSpans(t, i)
			}
		}
	})
}

func checkSpans(t *testing.T, list []Span) {
	if d := depth(list); d > maxNested+1 {
		t.Fatalf("spans lie %d deep", d)
	}
	for i := range list {
		s := &list[i]
		if s.Kind == Link && !isAddress(s.Href) {
			t.Fatalf("a link to %q", s.Href)
		}
		if s.Kind == TextSpan && s.Text == "" {
			t.Fatal("empty text")
		}
		checkSpans(t, s.Spans)
	}
}
