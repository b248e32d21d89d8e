package xmpp

import (
	"bytes"
	"strconv"
)

// AppendJoin is what enters a room (XEP-0045 §7.2) without being told its past.
func AppendJoin(b []byte, room, nick string) []byte {
	b = append(b, "<presence to='"...)
	b = append(append(append(b, room...), '/'), nick...)
	return append(b, "'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>"...)
}

// AppendMessage is a message for a room. The body must need no escaping.
func AppendMessage(b []byte, room, id string, body []byte) []byte {
	b = append(append(b, "<message type='groupchat' id='"...), id...)
	b = append(append(b, "' to='"...), room...)
	b = append(append(b, "'><body>"...), body...)
	return append(b, "</body></message>"...)
}

// AppendMembers makes people members of a room (XEP-0045 §9.3).
func AppendMembers(b []byte, room, id string, jids []string) []byte {
	b = append(append(b, "<iq type='set' id='"...), id...)
	b = append(append(b, "' to='"...), room...)
	b = append(b, "'><query xmlns='http://jabber.org/protocol/muc#admin'>"...)
	for _, j := range jids {
		b = append(append(append(b, "<item affiliation='member' jid='"...), j...), "'/>"...)
	}
	return append(b, "</query></iq>"...)
}

// AppendPage asks a room's archive for the newest messages, at most last of
// them, before the one with the archive's id before unless that is empty
// (XEP-0313 §4, XEP-0059 §2.5). The archive's answer carries id.
func AppendPage(b []byte, room, id string, last int, before string) []byte {
	b = append(append(b, "<iq type='set' id='"...), id...)
	b = append(append(b, "' to='"...), room...)
	b = append(append(b, "'><query xmlns='urn:xmpp:mam:2' queryid='"...), id...)
	b = append(b, "'><set xmlns='http://jabber.org/protocol/rsm'><max>"...)
	b = strconv.AppendInt(b, int64(last), 10)
	b = append(append(b, "</max><before>"...), before...)
	return append(b, "</before></set></query></iq>"...)
}

// PageOf is the id of the question to which an archived message is an answer;
// nil for any other message.
func PageOf(message []byte) []byte {
	i := bytes.Index(message, []byte("<result "))
	if i < 0 || i > len(Tag(message)) { // only as the first child: a body may say anything
		return nil
	}
	return Attr(message[i:], "queryid")
}

// Inner is the message within an archived one; nil if there is none.
func Inner(archived []byte) []byte {
	i := bytes.Index(archived[len(Tag(archived)):], []byte("<message "))
	if i < 0 {
		return nil
	}
	return archived[len(Tag(archived))+i:]
}

// Page is the end of an archive's answer: the archive's id of the oldest message
// in it, and whether there are none older.
func Page(iq []byte) (first string, complete bool) {
	if i := bytes.Index(iq, []byte("<fin ")); i >= 0 {
		complete = string(Attr(iq[i:], "complete")) == "true"
	}
	if _, rest, ok := bytes.Cut(iq, []byte("<first")); ok {
		if _, rest, ok = bytes.Cut(rest, []byte(">")); ok {
			if id, _, ok := bytes.Cut(rest, []byte("<")); ok {
				first = string(id)
			}
		}
	}
	return first, complete
}

// Tag is the first tag of b.
func Tag(b []byte) []byte {
	quote := byte(0)
	for i, c := range b {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return b[:i+1]
		}
	}
	return nil
}
