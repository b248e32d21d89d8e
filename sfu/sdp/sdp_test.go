package sdp_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/veche-im/veche/sfu/dtls"
	"github.com/veche-im/veche/sfu/ice"
	"github.com/veche-im/veche/sfu/sdp"
)

func offerOf(t testing.TB, browser string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", browser+".sdp"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n", "\r\n") // whatever git makes of it
}

func parse(t testing.TB, text string) *sdp.Offer {
	t.Helper()
	o, err := sdp.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

var (
	credentials = ice.Credentials{Ufrag: "abcdefgh", Password: "0123456789abcdefghijklmn"}
	print, _    = dtls.ParseFingerprint("sha-256 " + strings.TrimSuffix(strings.Repeat("AB:", 32), ":"))
)

// answerTo makes an answer with a source for each slot.
func answerTo(o *sdp.Offer) sdp.Answer {
	a := sdp.Answer{ICE: credentials, Fingerprint: print, Candidates: []sdp.Candidate{
		{Addr: netip.MustParseAddrPort("192.0.2.1:8443")},
		{Addr: netip.MustParseAddrPort("[2001:db8::1]:8443")},
		{Addr: netip.MustParseAddrPort("192.0.2.1:443"), TCP: true},
	}}
	for i := range o.AudioSlots() + o.VideoSlots() {
		s := sdp.Source{SSRC: uint32(1000 + i), CName: fmt.Sprintf("slot-%d", i)}
		if i >= o.AudioSlots() {
			s.RTX = uint32(2000 + i)
		}
		a.Slots = append(a.Slots, s)
	}
	return a
}

func TestOffersOfBrowsersAreRead(t *testing.T) {
	red := []sdp.Codec{{Coding: sdp.RED, PT: 63}, {Coding: sdp.Opus, PT: 111}}
	for _, tt := range []struct {
		browser      string
		ufrag        string
		microphone   []sdp.Codec
		camera, slot []sdp.Codec
		layers       []string
		levels       sdp.Extensions // of the microphone
		cameraExt    sdp.Extensions
		audio, video int
	}{
		{"chromium", "//Y6", red,
			[]sdp.Codec{{Coding: sdp.VP8, PT: 96, RTX: 97}},
			[]sdp.Codec{{Coding: sdp.VP8, PT: 96, RTX: 97}, {Coding: sdp.VP9, PT: 98, RTX: 99}, {Coding: sdp.AV1, PT: 45, RTX: 46}},
			[]string{"q", "h", "f"},
			sdp.Extensions{AudioLevel: 1, TransportCC: 3, MID: 4},
			sdp.Extensions{TransportCC: 3, MID: 4, RID: 10, RepairedRID: 11}, 2, 2},
		{"firefox", "5f3a9c1e", []sdp.Codec{{Coding: sdp.Opus, PT: 109}},
			[]sdp.Codec{{Coding: sdp.VP8, PT: 120, RTX: 124}},
			[]sdp.Codec{{Coding: sdp.VP8, PT: 120, RTX: 124}, {Coding: sdp.VP9, PT: 121, RTX: 125}},
			[]string{"q", "h", "f"},
			sdp.Extensions{AudioLevel: 1, MID: 3},
			sdp.Extensions{TransportCC: 7, MID: 3, RID: 8, RepairedRID: 9}, 1, 1},
		{"safari", "Vf0N", red,
			[]sdp.Codec{{Coding: sdp.VP8, PT: 100, RTX: 101}},
			[]sdp.Codec{{Coding: sdp.VP8, PT: 100, RTX: 101}, {Coding: sdp.VP9, PT: 127, RTX: 103}},
			[]string{"f", "h", "q"},
			sdp.Extensions{AudioLevel: 1, TransportCC: 3, MID: 4},
			sdp.Extensions{TransportCC: 3, MID: 4, RID: 10, RepairedRID: 11}, 1, 1},
	} {
		t.Run(tt.browser, func(t *testing.T) {
			o := parse(t, offerOf(t, tt.browser))
			if o.ICE.Ufrag != tt.ufrag {
				t.Errorf("ufrag %q", o.ICE.Ufrag)
			}
			mic, camera, last := o.Sections[0], o.Sections[1], o.Sections[len(o.Sections)-1]
			if !slices.Equal(mic.Codecs, tt.microphone) || mic.Extensions != tt.levels || len(mic.SSRCs) != 1 {
				t.Errorf("microphone: %+v", mic)
			}
			if !slices.Equal(camera.Codecs, tt.camera) || !slices.Equal(camera.Layers, tt.layers) || camera.Extensions != tt.cameraExt {
				t.Errorf("camera: %+v", camera)
			}
			if last.Kind != sdp.VideoSlot || !slices.Equal(last.Codecs, tt.slot) {
				t.Errorf("video slot: %+v", last)
			}
			if screen := o.Sections[2]; len(screen.SSRCs) != 1 || screen.SSRCs[0].RTX == 0 {
				t.Errorf("screen: %+v", screen)
			}
			if a, v := o.AudioSlots(), o.VideoSlots(); a != tt.audio || v != tt.video {
				t.Errorf("%d audio and %d video slots", a, v)
			}
			if _, err := o.Answer(answerTo(o)); err != nil {
				t.Errorf("answer: %v", err)
			}
		})
	}
}

func TestAnswerOffersNothingElse(t *testing.T) {
	o := parse(t, offerOf(t, "chromium"))
	text, err := o.Answer(answerTo(o))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"a=ice-lite\r\n", "a=setup:passive\r\n", "a=group:BUNDLE 0 1 2 3 4 5 6 7\r\n",
		"m=audio 9 UDP/TLS/RTP/SAVPF 63 111\r\n", "a=fmtp:63 111/111\r\n",
		"usedtx=1;cbr=1", "minptime=10",
		"m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n", "a=rtcp-fb:96 transport-cc\r\n", "a=rtcp-fb:96 ccm fir\r\n",
		"a=rid:q recv\r\n", "a=simulcast:recv q;h;f\r\n",
		"a=ssrc-group:FID 1002 2002\r\n", "a=ssrc:1000 cname:slot-0\r\n",
		"a=candidate:1 1 udp 2130706431 192.0.2.1 8443 typ host\r\n",
		"a=candidate:3 1 tcp 1526726143 192.0.2.1 443 typ host tcptype passive\r\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for _, not := range []string{"abs-send-time", "goog-remb", "H264", "ulpfec", "toffset", "profile-id=2", "rcvr-rtt"} {
		if strings.Contains(text, not) {
			t.Errorf("%q is answered", not)
		}
	}
	if n := strings.Count(text, "m="); n < len(o.Sections) {
		t.Errorf("%d m-lines for %d", n, len(o.Sections))
	}
}

func TestStrangeOffersAreRefusedWithAReason(t *testing.T) {
	chromium := offerOf(t, "chromium")
	once := func(old, with string) string {
		if !strings.Contains(chromium, old) {
			t.Fatalf("%q is not in the offer", old)
		}
		return strings.Replace(chromium, old, with, 1)
	}
	all := func(old, with string) string { return strings.ReplaceAll(chromium, old, with) }
	data := "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:d\r\n"
	many := chromium + strings.Repeat("m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", 70)
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "first four"},
		{"no SDP", "hello", "not a session"},
		{"too long", chromium + strings.Repeat("a=x:y\r\n", 10_000), "bytes"},
		{"too many m-lines", many, "m-lines"},
		{"a data channel", chromium + data, "protocol"},
		{"plain RTP", once("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "protocol"},
		{"too few", chromium[:strings.Index(chromium, "m=video")], "first four"},
		{"text for the microphone", once("m=audio", "m=text"), "medium"},
		{"sound for the camera", once("m=video", "m=audio"), "place of the camera"},
		{"both ways", once("a=sendonly", "a=sendrecv"), "must be sendonly"},
		{"two directions", once("a=sendonly", "a=sendonly\r\na=recvonly"), "must be sendonly"},
		{"rejected", once("m=video 9", "m=video 0"), "rejected"},
		{"no mid", once("a=mid:3\r\n", ""), "mid"},
		{"the mid of another", once("a=mid:3", "a=mid:2"), "mid"},
		{"no mux", all("a=rtcp-mux\r\n", ""), "rtcp-mux"},
		{"passive", all("a=setup:actpass", "a=setup:passive"), "handshake"},
		{"no ICE", all("a=ice-pwd", "a=x-pwd"), "ICE"},
		{"short password", all("a=ice-pwd:", "a=ice-pwd:short\r\na=x:"), "ICE password"},
		{"odd fragment", all("a=ice-ufrag:", "a=ice-ufrag:ab cd"), "ICE"},
		{"another password in one section", once("a=ice-pwd:", "a=ice-pwd:X"), "transport"},
		{"ICE-lite", once("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n"), "lite"},
		{"no fingerprint", all("a=fingerprint:", "a=x:"), "fingerprint"},
		{"SHA-1", all("sha-256 ", "sha-1 "), "sha-256"},
		{"half a fingerprint", all("76:F1:", ""), "fingerprint"},
		{"no bundle", once("a=group:BUNDLE", "a=group:LS"), "bundle"},
		{"a part of the bundle", once("BUNDLE 0 1 2 3 4 5 6 7", "BUNDLE 0 1 2 3 4 5 6"), "bundle"},
		{"bundle in another order", once("BUNDLE 0 1", "BUNDLE 1 0"), "bundle"},
		{"no Opus", all("opus/48000/2", "PCMU/8000"), "forwarded for the microphone"},
		{"no picture that we know", all("VP8/90000", "H263/90000"), ""},
		{"one type for two things", once("m=audio 49332 UDP/TLS/RTP/SAVPF 63 111\r\n", "m=audio 49332 UDP/TLS/RTP/SAVPF 63 111 96\r\na=rtpmap:96 speex/8000\r\n"), "two things"},
		{"header extension 0", once("a=extmap:1 urn", "a=extmap:0 urn"), "header extension"},
		{"header extension 15", all("a=extmap:10 urn", "a=extmap:15 urn"), "header extension"},
		{"one number for two extensions", once("a=extmap:10 urn", "a=extmap:1 urn"), "two things"},
		{"no audio level", once("a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n", ""), "audio level"},
		{"no mid extension", all("a=extmap:4 ", "a=x:"), "mid header"},
		{"unknown layer", all("f send", "z send"), "layer"},
		{"layers twice", once("a=simulcast:send q;h;f", "a=simulcast:send q;h;q"), "layer"},
		{"layers received", once("a=simulcast:send q;h;f", "a=simulcast:recv q;h;f"), "simulcast"},
		{"alternatives", once("a=simulcast:send q;h;f", "a=simulcast:send q,h;f"), "simulcast"},
		{"a rid without a simulcast", once("a=simulcast:send q;h;f", "a=simulcast:send q;h"), "outside"},
		{"source 0", once("a=ssrc:", "a=ssrc:0 cname:x\r\na=ssrc:"), "ssrc"},
		{"one source for two", once("a=ssrc:3800670596 cname", "a=ssrc:1 cname:x\r\na=ssrc:3800670596 cname"), "several"},
		{"too many sources", once("a=ssrc:3800670596 cname:", strings.Repeat("a=ssrc:7777", 1)+" cname:x\r\n"+sources(20)+"a=ssrc:3800670596 cname:"), "more than"},
		{"a group of three", once("a=ssrc-group:FID ", "a=ssrc-group:FID 1 "), "group"},
		{"a picture behind", compact(chromium) + strings.Replace(audioSlot(chromium), "a=mid:5", "a=mid:9", 1), "behind"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, err := sdp.Parse(tt.text)
			var e *sdp.Error
			if tt.want == "" {
				return
			}
			if !errors.As(err, &e) || !strings.Contains(e.Text, tt.want) {
				t.Errorf("got %v, %v; want an error about %q", o, err, tt.want)
			}
			if err != nil && len(err.Error()) > 250 {
				t.Errorf("the error repeats what was sent: %d characters", len(err.Error()))
			}
		})
	}
}

// compact drops what tests of length do not need.
func compact(offer string) string {
	var keep []string
	for l := range strings.SplitSeq(offer, "\r\n") {
		if !strings.HasPrefix(l, "a=rtcp-fb") && !strings.HasPrefix(l, "a=fmtp:1") && !strings.HasPrefix(l, "a=candidate") {
			keep = append(keep, l)
		}
	}
	return strings.Join(keep, "\r\n")
}

func sources(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a=ssrc:%d cname:x\r\n", 10_000+i)
	}
	return b.String()
}

// audioSlot is the section of the last audio slot.
func audioSlot(offer string) string {
	from := strings.LastIndex(offer, "m=audio")
	n := strings.Index(offer[from:], "m=video")
	return offer[from : from+n]
}

func TestALaterOfferMayRestartAndAppend(t *testing.T) {
	chromium := offerOf(t, "chromium")
	first := parse(t, chromium)
	slot := strings.Replace(chromium[strings.LastIndex(chromium, "m=video"):], "a=mid:7", "a=mid:8", 1)
	more := strings.Replace(chromium, "5 6 7\r\n", "5 6 7 8\r\n", 1) + slot
	for _, tt := range []struct {
		name    string
		text    string
		restart bool
		want    string // of the error
	}{
		{"the same", chromium, false, ""},
		{"one slot more", more, false, ""},
		{"new credentials", strings.ReplaceAll(chromium, "ice-ufrag:", "ice-ufrag:new"), true, ""},
		{"both", strings.ReplaceAll(more, "ice-ufrag:", "ice-ufrag:new"), true, ""},
		{"another certificate", strings.ReplaceAll(chromium, "76:F1", "77:F1"), false, "certificate"},
		{"a slot under another name", strings.Replace(strings.Replace(chromium, "a=mid:7", "a=mid:9", 1), "6 7\r\n", "6 9\r\n", 1), false, "changes"},
		{"layers gone", strings.Replace(dropLines(chromium, "a=rid"), "a=simulcast:send q;h;f\r\n", "", 1), false, "changes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			restart, err := parse(t, tt.text).Follows(first)
			if tt.want == "" && (err != nil || restart != tt.restart) {
				t.Errorf("restart %v, %v", restart, err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want an error about %q", err, tt.want)
			}
		})
	}
	if _, err := first.Follows(parse(t, more)); err == nil {
		t.Error("a slot was taken away")
	}
}

func dropLines(offer, prefix string) string {
	var keep []string
	for l := range strings.SplitSeq(offer, "\r\n") {
		if !strings.HasPrefix(l, prefix) {
			keep = append(keep, l)
		}
	}
	return strings.Join(keep, "\r\n")
}

func TestAnswerNeedsASourceForEachSlot(t *testing.T) {
	o := parse(t, offerOf(t, "chromium"))
	for name, change := range map[string]func(*sdp.Answer){
		"one less":        func(a *sdp.Answer) { a.Slots = a.Slots[1:] },
		"source 0":        func(a *sdp.Answer) { a.Slots[0].SSRC = 0 },
		"a name of lines": func(a *sdp.Answer) { a.Slots[0].CName = "x\r\na=evil" },
		"no credentials":  func(a *sdp.Answer) { a.ICE = ice.Credentials{} },
		"no certificate":  func(a *sdp.Answer) { a.Fingerprint = dtls.Fingerprint{} },
	} {
		a := answerTo(o)
		change(&a)
		if _, err := o.Answer(a); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// small is about the shortest offer that is taken.
func small() string {
	var b strings.Builder
	b.WriteString("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2 3 4 5\r\n" +
		"a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijkl\r\na=setup:actpass\r\na=fingerprint:" + print.String() + "\r\n")
	for i, kind := range []string{"audio", "video", "video", "audio", "audio", "video"} {
		direction, codec := "sendonly", "a=rtpmap:111 opus/48000/2\r\n"
		if i > 3 {
			direction = "recvonly"
		}
		pt := 111
		if kind == "video" {
			pt, codec = 96, "a=rtpmap:96 VP8/90000\r\n"
		}
		fmt.Fprintf(&b, "m=%s 9 UDP/TLS/RTP/SAVPF %d\r\na=mid:%d\r\na=%s\r\na=rtcp-mux\r\n%sa=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"+
			"a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n", kind, pt, i, direction, codec)
	}
	return b.String()
}

func TestTheShortestOfferIsTaken(t *testing.T) { parse(t, small()) }

// FuzzOffer looks for offers that are accepted and then cannot be answered, follow
// on themselves, or break a limit.
func FuzzOffer(f *testing.F) {
	f.Add(small()) // those of browsers are so long that little is tried
	f.Fuzz(func(t *testing.T, text string) {
		o, err := sdp.Parse(text)
		if err != nil {
			return
		}
		answer, err := o.Answer(answerTo(o))
		if err != nil {
			t.Fatalf("no answer: %v", err)
		}
		if n := strings.Count("\r\n"+answer, "\r\nm="); n != len(o.Sections) {
			t.Errorf("%d m-lines answered of %d", n, len(o.Sections))
		}
		if restart, err := o.Follows(parse(t, text)); restart || err != nil {
			t.Errorf("does not follow itself: %v", err)
		}
		if o.AudioSlots() > sdp.MaxAudioSlots || o.VideoSlots() > sdp.MaxVideoSlots || len(o.Sections) > sdp.MaxSections {
			t.Error("beyond the limits")
		}
	})
}
