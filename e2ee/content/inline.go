package content

import (
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/veche-im/veche/wire"
)

// A node is a span while its line is being read. Marks that may turn out to open
// or close something are nodes of text, and delimiters besides.
type node struct {
	span       Span
	depth      int // levels of spans in it
	prev, next *node
}

// A delimiter is a run of * _ or ~ whose meaning is not known yet.
type delimiter struct {
	n           *node
	mark        byte
	count, orig int
	opens       bool
	closes      bool
	pos         int // counts delimiters from 1
	prev, next  *delimiter
}

// A bracket is a [ that may turn out to begin a link.
type bracket struct {
	n     *node
	below *delimiter // the newest delimiter before it
}

// parser reads one paragraph, CommonMark's way: marks go on a stack, and each
// that can close looks back for one to close, never further than a search for
// its like has looked in vain.
type parser struct {
	s          string
	at         int
	end        int // of the plain text that at is in
	head, tail *node
	last       *delimiter // top of the stack of delimiters
	made       int        // delimiters so far
	brackets   []bracket
	ticks      map[int][]int // from length to where runs of ` begin
}

// inline parses a paragraph, whose lines end with \n, into spans.
func inline(s string) []Span {
	p := &parser{s: s}
	p.head = &node{}
	p.tail = p.head
	p.findTicks()
	for p.at < len(s) {
		p.step()
	}
	p.emphasis(nil)
	return spans(p.head.next, nil)
}

func (p *parser) findTicks() {
	p.ticks = map[int][]int{}
	for i := 0; i < len(p.s); {
		if p.s[i] != '`' {
			i++
			continue
		}
		n := runLength(p.s[i:])
		p.ticks[n] = append(p.ticks[n], i)
		i += n
	}
}

// runLength counts how often the first byte of s is repeated at its start.
func runLength(s string) int { return len(s) - len(strings.TrimLeft(s, s[:1])) }

func (p *parser) append(s Span, depth int) *node {
	n := &node{span: s, depth: depth, prev: p.tail}
	p.tail.next = n
	p.tail = n
	return n
}

func (p *parser) text(s string) { p.append(Span{Kind: TextSpan, Text: s}, 0) }

// special are the bytes at which something may begin, besides an address.
const special = "\\`*_~[]<\n"

func (p *parser) step() {
	c := p.s[p.at]
	switch c {
	case '\\':
		p.escape()
	case '`':
		p.code()
	case '*', '_', '~':
		p.delimiter()
	case '[':
		p.brackets = append(p.brackets, bracket{p.append(Span{Kind: TextSpan, Text: "["}, 0), p.last})
		p.at++
	case ']':
		p.closeBracket()
	case '\n':
		p.append(Span{Kind: Break}, 0)
		p.at++
	default:
		p.words()
	}
}

// words reads an address, or text up to where something may begin.
func (p *parser) words() {
	if p.address() {
		return
	}
	if p.end <= p.at {
		p.end = len(p.s)
		if i := strings.IndexAny(p.s[p.at+1:], special); i >= 0 {
			p.end = p.at + 1 + i
		}
	}
	end := p.at + 1
	for end < p.end {
		if _, ok := cutFold(p.s[end:p.end], "http"); ok {
			break
		}
		end++
	}
	p.text(p.s[p.at:end])
	p.at = end
}

func (p *parser) escape() {
	if p.at+1 < len(p.s) && isASCIIPunct(p.s[p.at+1]) {
		p.text(p.s[p.at+1 : p.at+2])
		p.at += 2
		return
	}
	p.text(`\`)
	p.at++
}

func isASCIIPunct(c byte) bool {
	return c >= '!' && c <= '/' || c >= ':' && c <= '@' || c >= '[' && c <= '`' || c >= '{' && c <= '~'
}

// code reads `code`, which ends at a run of as many ticks.
func (p *parser) code() {
	n := runLength(p.s[p.at:])
	runs := p.ticks[n]
	i := sort.SearchInts(runs, p.at+n)
	if i == len(runs) {
		p.text(p.s[p.at : p.at+n])
		p.at += n
		return
	}
	text := strings.ReplaceAll(p.s[p.at+n:runs[i]], "\n", " ")
	if len(text) > 2 && text[0] == ' ' && text[len(text)-1] == ' ' && strings.TrimSpace(text) != "" {
		text = text[1 : len(text)-1]
	}
	p.append(Span{Kind: Code, Text: text}, 0)
	p.at = runs[i] + n
}

// delimiter reads a run of marks and notes what it may do, by what stands beside
// it (CommonMark 0.31.2 §6.2).
func (p *parser) delimiter() {
	mark := p.s[p.at]
	count := runLength(p.s[p.at:])
	before, _ := utf8.DecodeLastRuneInString(p.s[:p.at])
	after, _ := utf8.DecodeRuneInString(p.s[p.at+count:])
	if p.at == 0 {
		before = ' '
	}
	if p.at+count == len(p.s) {
		after = ' '
	}
	spaceBefore, spaceAfter := unicode.IsSpace(before), unicode.IsSpace(after)
	punctBefore, punctAfter := isPunct(before), isPunct(after)
	left := !spaceAfter && (!punctAfter || spaceBefore || punctBefore)
	right := !spaceBefore && (!punctBefore || spaceAfter || punctAfter)
	d := &delimiter{mark: mark, count: count, orig: count, opens: left, closes: right}
	if mark == '_' {
		d.opens = left && (!right || punctBefore)
		d.closes = right && (!left || punctAfter)
	}
	text := p.s[p.at : p.at+count]
	p.at += count
	if !d.opens && !d.closes || mark == '~' && count != 2 {
		p.text(text)
		return
	}
	d.n = p.append(Span{Kind: TextSpan, Text: text}, 0)
	p.made++
	d.pos = p.made
	if p.last != nil {
		d.prev, p.last.next = p.last, d
	}
	p.last = d
}

func isPunct(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) }

// searched tells apart the searches for an opener that a closer's failing says
// something about.
type searched struct {
	mark  byte
	opens bool
	mod   int
}

// emphasis matches the delimiters above below, and drops them from the stack.
func (p *parser) emphasis(below *delimiter) {
	d := p.last
	for d != nil && d.prev != below {
		d = d.prev
	}
	if p.last == below {
		return
	}
	vain := map[searched]int{} // no opener from this pos on down
	for d != nil {
		if !d.closes {
			d = d.next
			continue
		}
		key := searched{d.mark, d.opens, d.orig % 3}
		o := d.prev
		for o != below && o.pos > vain[key] && !o.matches(d) {
			o = o.prev
		}
		if o == below || o.pos <= vain[key] {
			if d.prev != nil {
				vain[key] = d.prev.pos
			}
			next := d.next
			if !d.opens {
				p.drop(d)
			}
			d = next
			continue
		}
		d = p.match(o, d)
	}
	for p.last != below {
		p.drop(p.last)
	}
}

func (o *delimiter) matches(d *delimiter) bool {
	if o.mark != d.mark || !o.opens {
		return false
	}
	both := o.closes || d.opens
	return !both || (o.orig+d.orig)%3 != 0 || o.orig%3 == 0 && d.orig%3 == 0
}

// match wraps what stands between o and d, uses up their marks, and returns the
// delimiter to go on with.
func (p *parser) match(o, d *delimiter) *delimiter {
	for o.next != d {
		p.drop(o.next) // in between and without a partner: text
	}
	use, kind := 1, Italic
	if o.count >= 2 && d.count >= 2 {
		use, kind = 2, Bold
	}
	if o.mark == '~' {
		kind = Strike
	}
	p.wrap(o.n, d.n, Span{Kind: kind})
	for _, x := range [...]*delimiter{o, d} {
		x.count -= use
		x.n.span.Text = x.n.span.Text[:x.count]
	}
	next := d
	if d.count == 0 {
		next = d.next
		p.remove(d.n)
		p.drop(d)
	}
	if o.count == 0 {
		p.remove(o.n)
		p.drop(o)
	}
	return next
}

// wrap puts all between two nodes into s, unless they would lie too deep.
func (p *parser) wrap(from, to *node, s Span) {
	depth := 0
	for n := from.next; n != to; n = n.next {
		depth = max(depth, n.depth)
	}
	if depth >= maxNested || from.next == to {
		return
	}
	s.Spans = spans(from.next, to)
	n := &node{span: s, depth: depth + 1, prev: from, next: to}
	from.next, to.prev = n, n
}

func (p *parser) remove(n *node) {
	n.prev.next = n.next
	if n.next != nil {
		n.next.prev = n.prev
	} else {
		p.tail = n.prev
	}
}

// drop takes d off the stack; its marks stay text.
func (p *parser) drop(d *delimiter) {
	if d.prev != nil {
		d.prev.next = d.next
	}
	if d.next != nil {
		d.next.prev = d.prev
	} else {
		p.last = d.prev
	}
}

// closeBracket ends a link, if there is a [ before and a target behind.
func (p *parser) closeBracket() {
	top := len(p.brackets) - 1
	if top < 0 {
		p.text("]")
		p.at++
		return
	}
	open := p.brackets[top]
	p.brackets = p.brackets[:top]
	target, n := linkTarget(p.s[p.at+1:])
	s, ok := linkTo(target)
	if n == 0 || !ok || open.n.next == nil {
		p.text("]")
		p.at++
		return
	}
	p.emphasis(open.below)
	end := p.append(Span{Kind: TextSpan}, 0)
	if s.Kind == Mention {
		var b strings.Builder
		plain(&b, spans(open.n.next, end))
		s.Text = b.String()
		m := &node{span: s, prev: open.n, next: end}
		open.n.next, end.prev = m, m
	} else {
		p.wrap(open.n, end, s)
	}
	p.remove(open.n)
	p.remove(end)
	p.brackets = nil // a link holds no link
	p.at += 1 + n
}

// maxTarget is the longest target of a link in bytes.
const maxTarget = 2048

// linkTarget reads (target), with what brackets stand in it in pairs, and
// returns how many bytes that took, 0 if it is not one.
func linkTarget(s string) (target string, n int) {
	if !strings.HasPrefix(s, "(") {
		return "", 0
	}
	depth := 0
	for i := 0; i < min(len(s), maxTarget+2); i++ {
		switch c := s[i]; {
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				return s[1:i], i + 1
			}
		case c <= ' ' || c == 0x7f:
			return "", 0
		}
	}
	return "", 0
}

// linkTo returns the span for a target, if it is one that we open.
func linkTo(target string) (Span, bool) {
	if id, ok := strings.CutPrefix(target, mentionScheme); ok {
		var account wire.AccountID
		if account.UnmarshalText([]byte(id)) != nil {
			return Span{}, false
		}
		return Span{Kind: Mention, Account: account}, true
	}
	return Span{Kind: Link, Href: target}, isAddress(target)
}

// isAddress reports whether s is an http, https or mailto address without
// anything invisible, and without a user's name before a host, whose only use
// today is to look like another host.
func isAddress(s string) bool {
	if len(s) > maxTarget || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsSpace(r) || unicode.IsControl(r) || isInvisible(r) || strings.ContainsRune(`<>"\`, r) {
			return false
		}
	}
	if rest, ok := cutFold(s, "mailto:"); ok {
		at := strings.IndexByte(rest, '@')
		return at > 0 && at < len(rest)-1
	}
	rest, ok := cutFold(s, "https://")
	if !ok {
		rest, ok = cutFold(s, "http://")
	}
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	host, _, _ = strings.Cut(host, "#")
	return ok && host != "" && !strings.ContainsAny(host, "@")
}

func cutFold(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// address reads an address that stands in the text, bare or between < and >.
func (p *parser) address() bool {
	s := p.s[p.at:]
	if s[0] == '<' {
		end := strings.IndexAny(s[:min(len(s), maxTarget+2)], "> \n")
		if end < 0 || s[end] != '>' || !isAddress(s[1:end]) {
			return false
		}
		p.link(s[1:end])
		p.at += end + 1
		return true
	}
	_, secure := cutFold(s, "https://")
	_, open := cutFold(s, "http://")
	before, _ := utf8.DecodeLastRuneInString(p.s[:p.at])
	if !secure && !open || p.at > 0 && (unicode.IsLetter(before) || unicode.IsDigit(before)) {
		return false
	}
	end := strings.IndexFunc(s[:min(len(s), maxTarget)], func(r rune) bool { return unicode.IsSpace(r) || r == '<' || r == '>' || r == '"' })
	if end < 0 {
		end = min(len(s), maxTarget)
	}
	s = trimAddress(s[:end])
	if !isAddress(s) {
		return false
	}
	p.link(s)
	p.at += len(s)
	return true
}

func (p *parser) link(href string) {
	p.append(Span{Kind: Link, Href: href, Spans: []Span{{Kind: TextSpan, Text: href}}}, 1)
}

// trimAddress takes away what belongs to the sentence: marks at the end, and
// closing brackets that have no partner.
func trimAddress(s string) string {
	for s != "" {
		r, n := utf8.DecodeLastRuneInString(s)
		switch {
		case strings.ContainsRune(".,:;!?'*_~`…»”", r):
		case r == ')' && strings.Count(s, "(") < strings.Count(s, ")"):
		case r == ']' && strings.Count(s, "[") < strings.Count(s, "]"):
		default:
			return s
		}
		s = s[:len(s)-n]
	}
	return s
}

// spans returns the nodes from n up to end, with texts that adjoin as one.
func spans(n, end *node) []Span {
	var list []Span
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			list = append(list, Span{Kind: TextSpan, Text: text.String()})
			text.Reset()
		}
	}
	for ; n != end; n = n.next {
		if n.span.Kind == TextSpan {
			text.WriteString(n.span.Text)
			continue
		}
		flush()
		list = append(list, n.span)
	}
	flush()
	return list
}
