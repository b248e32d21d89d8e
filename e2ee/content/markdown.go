package content

import (
	"strconv"
	"strings"

	"github.com/veche-im/veche/wire"
)

// BlockKind is what a Block is.
type BlockKind string

const (
	Paragraph  BlockKind = "paragraph"
	BlockQuote BlockKind = "quote"
	CodeBlock  BlockKind = "code"
	List       BlockKind = "list"
	Ordered    BlockKind = "ordered" // counts from 1
)

// Block is a part of a text that stands on lines of its own.
type Block struct {
	Kind  BlockKind
	Spans []Span   // of all but lists; code has one, of plain text
	Items [][]Span // of lists
	Lang  string   // of code, letters and digits and + # . _ - alone; may be empty
}

// SpanKind is what a Span is.
type SpanKind string

const (
	TextSpan SpanKind = "text"
	Bold     SpanKind = "bold"
	Italic   SpanKind = "italic"
	Strike   SpanKind = "strike"
	Code     SpanKind = "code"
	Link     SpanKind = "link"
	Mention  SpanKind = "mention"
	Break    SpanKind = "break" // a new line
)

// Span is a piece of a line. Bold, Italic, Strike and Link hold Spans; the
// others Text, but for Break, which holds nothing.
type Span struct {
	Kind    SpanKind
	Text    string
	Href    string         // of Link: http, https or mailto
	Account wire.AccountID // of Mention
	Spans   []Span
}

// mentionScheme begins the target of a link that names a person.
const mentionScheme = "veche:account:"

// maxNested is how deep spans may lie in spans; deeper ones lose their form and
// keep their text, so that whoever shows them need not fear for its stack.
const maxNested = 8

// Parse turns a text in Markdown into a tree. It knows bold, italic, strike,
// code, blocks of code, links, mentions, quotes and lists; a new line is a new
// line. Everything else, HTML above all, is text as it stands. Whatever is
// written, Parse takes time in proportion to its length.
func Parse(text string) []Block {
	b := &blocks{lines: strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n")}
	for b.at < len(b.lines) {
		switch {
		case b.code():
		case b.quote():
		case b.list(bullet, List):
		case b.list(number, Ordered):
		default:
			b.paragraph()
		}
	}
	b.flush()
	return b.done
}

// Plain returns what a tree says, without markup and on one line.
func Plain(list []Block) string {
	var b strings.Builder
	for _, block := range list {
		plain(&b, block.Spans)
		for _, item := range block.Items {
			plain(&b, item)
			b.WriteByte(' ')
		}
		b.WriteByte(' ')
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func plain(b *strings.Builder, spans []Span) {
	for i := range spans {
		s := &spans[i]
		if s.Kind == Break {
			b.WriteByte(' ')
		}
		b.WriteString(s.Text)
		plain(b, s.Spans)
	}
}

// blocks cuts lines into blocks.
type blocks struct {
	lines []string
	at    int      // next line
	open  []string // lines of the paragraph that is being read
	done  []Block
}

func (b *blocks) flush() {
	if len(b.open) > 0 {
		b.done = append(b.done, Block{Kind: Paragraph, Spans: inline(strings.Join(b.open, "\n"))})
		b.open = nil
	}
}

func (b *blocks) add(block Block) {
	b.flush()
	b.done = append(b.done, block)
}

func (b *blocks) paragraph() {
	line := b.lines[b.at]
	b.at++
	if strings.TrimSpace(line) == "" {
		b.flush()
		return
	}
	b.open = append(b.open, strings.TrimSpace(line))
}

// fence returns the marks that begin a block of code, and its language.
func fence(line string) (marks, lang string, ok bool) {
	line, indent := cutIndent(line)
	if indent > 3 || line == "" || line[0] != '`' && line[0] != '~' {
		return "", "", false
	}
	rest := strings.TrimLeft(line, line[:1])
	marks = line[:len(line)-len(rest)]
	if len(marks) < 3 || line[0] == '`' && strings.Contains(rest, "`") {
		return "", "", false
	}
	lang, _, _ = strings.Cut(strings.TrimSpace(rest), " ")
	if len(lang) > 32 || strings.Trim(lang, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+#._-") != "" {
		lang = ""
	}
	return marks, lang, true
}

func cutIndent(line string) (rest string, spaces int) {
	rest = strings.TrimLeft(line, " ")
	return rest, len(line) - len(rest)
}

// code reads a block of code; without its closing marks it goes on to the end.
func (b *blocks) code() bool {
	marks, lang, ok := fence(b.lines[b.at])
	if !ok {
		return false
	}
	var code []string
	for b.at++; b.at < len(b.lines); b.at++ {
		line := strings.TrimSpace(b.lines[b.at])
		if len(line) >= len(marks) && strings.Trim(line, marks[:1]) == "" {
			b.at++
			break
		}
		code = append(code, b.lines[b.at])
	}
	b.add(Block{Kind: CodeBlock, Lang: lang, Spans: []Span{{Kind: TextSpan, Text: strings.Join(code, "\n")}}})
	return true
}

// quote reads lines that begin with >.
func (b *blocks) quote() bool {
	var lines []string
	for ; b.at < len(b.lines); b.at++ {
		line, indent := cutIndent(b.lines[b.at])
		if indent > 3 || !strings.HasPrefix(line, ">") {
			break
		}
		lines = append(lines, strings.TrimSpace(strings.TrimLeft(line, "> ")))
	}
	if lines == nil {
		return false
	}
	b.add(Block{Kind: BlockQuote, Spans: inline(strings.Join(lines, "\n"))})
	return true
}

// bullet and number return the text of a line that is item i (from 1) of a list.
func bullet(line string, _ int) (text string, ok bool) {
	line, indent := cutIndent(line)
	if indent > 3 || len(line) < 2 || !strings.ContainsRune("-*+", rune(line[0])) || line[1] != ' ' {
		return "", false
	}
	text = strings.TrimSpace(line[2:])
	return text, text != ""
}

// A list that does not count from 1 stays text: "1986. What a year" must not
// become another number.
func number(line string, i int) (text string, ok bool) {
	line, indent := cutIndent(line)
	want := strconv.Itoa(i)
	rest, ok := strings.CutPrefix(line, want)
	if !ok || indent > 3 || len(rest) < 2 || rest[0] != '.' && rest[0] != ')' || rest[1] != ' ' {
		return "", false
	}
	text = strings.TrimSpace(rest[2:])
	return text, text != ""
}

// list reads items of one kind; lines that are indented go with the item before.
func (b *blocks) list(item func(line string, i int) (string, bool), kind BlockKind) bool {
	var items []string
	for ; b.at < len(b.lines); b.at++ {
		line := b.lines[b.at]
		if text, ok := item(line, len(items)+1); ok {
			items = append(items, text)
			continue
		}
		if len(items) == 0 || !strings.HasPrefix(line, "  ") || strings.TrimSpace(line) == "" {
			break
		}
		items[len(items)-1] += "\n" + strings.TrimSpace(line)
	}
	if items == nil {
		return false
	}
	block := Block{Kind: kind}
	for _, text := range items {
		block.Items = append(block.Items, inline(text))
	}
	b.add(block)
	return true
}
