package xmpp

import (
	"encoding/xml"
	"testing"
)

func TestWhatIsSaidIsWellFormed(t *testing.T) {
	for name, b := range map[string][]byte{
		"join":    AppendJoin(nil, "r1@rooms", "u1"),
		"message": AppendMessage(nil, "r1@rooms", "v1", []byte("body")),
		"members": AppendMembers(nil, "r1@rooms", "i1", []string{"a@x", "b@x"}),
		"page":    AppendPage(nil, "r1@rooms", "i1", 50, "17"),
	} {
		var any struct{ XMLName xml.Name }
		if err := xml.Unmarshal(b, &any); err != nil {
			t.Errorf("%s: %v in %s", name, err, b)
		}
	}
}

func TestAnArchiveIsReadWithoutDecoding(t *testing.T) {
	archived := []byte("<message from='r1@rooms'><result xmlns='urn:xmpp:mam:2' id='17' queryid='p3'><forwarded>" +
		"<message id='v9' from='r1@rooms/u1'><body>x</body></message></forwarded></result></message>")
	if got := string(PageOf(archived)); got != "p3" {
		t.Errorf("the question is %q", got)
	}
	if got := string(Attr(Inner(archived), "id")); got != "v9" {
		t.Errorf("the message is %q", got)
	}
	said := []byte("<message id='v1'><body>&lt;result queryid=</body><result queryid='p3'/></message>")
	if got := PageOf(said); got != nil {
		t.Errorf("a message of the room answers %q", got)
	}
	first, complete := Page([]byte("<iq id='p3'><fin complete='true'><set><first index='0'>11</first><last>17</last></set></fin></iq>"))
	if first != "11" || !complete {
		t.Errorf("the page begins with %q, complete %v", first, complete)
	}
	if first, complete = Page([]byte("<iq id='p3'><fin><set><first>11</first></set></fin></iq>")); first != "11" || complete {
		t.Errorf("the page begins with %q, complete %v", first, complete)
	}
}
