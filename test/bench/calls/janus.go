package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"
)

// janus is Debian's package with a configuration of ours: the VideoRoom plugin,
// which forwards without decoding, and its HTTP interface, on loopback alone.
type janus struct {
	cmd  *exec.Cmd
	dir  string
	base string

	mu     sync.Mutex // guards what follows
	people []*janusPerson
}

// janusPerson is one session, with a connection to send and one to receive.
type janusPerson struct {
	j       *janus
	session uint64
	feed    uint64 // 0: it does not talk
	tally   *tally

	send, receive *webrtc.PeerConnection
	events        chan janusMessage
	stop          context.CancelFunc
}

type janusMessage struct {
	Janus       string        `json:"janus"`
	Transaction string        `json:"transaction,omitempty"`
	Plugin      string        `json:"plugin,omitempty"`
	Sender      uint64        `json:"sender,omitempty"`
	Body        any           `json:"body,omitempty"`
	JSEP        *janusSession `json:"jsep,omitempty"`
	Data        struct {
		ID uint64 `json:"id"`
	} `json:"data,omitzero"`
	PluginData struct {
		Data struct {
			ID        uint64 `json:"id"`
			VideoRoom string `json:"videoroom"`
			Error     string `json:"error"`
		} `json:"data"`
	} `json:"plugindata,omitzero"`
	Error *struct {
		Reason string `json:"reason"`
	} `json:"error,omitempty"`
}
type janusSession struct {
	Type string `json:"type"`
	SDP  string `json:"sdp"`
}

const janusRoom = 1

func startJanus(ctx context.Context) (*janus, error) {
	program, err := exec.LookPath("janus")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "janus-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	for name, text := range map[string]string{
		"janus.jcfg": `general: { debug_level = 2; admin_secret = "none"; protected_folders = [] }
nat: { ice_lite = true; full_trickle = false; ice_enforce_list = "127.0.0.1"; ignore_mdns = true }
media: { ipv6 = false }
transports: { disable = "libjanus_rabbitmq.so,libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_websockets.so" }
plugins: { disable = "libjanus_audiobridge.so,libjanus_echotest.so,libjanus_nosip.so,libjanus_recordplay.so,libjanus_sip.so,libjanus_streaming.so,libjanus_textroom.so,libjanus_videocall.so,libjanus_voicemail.so,libjanus_lua.so,libjanus_duktape.so" }
`,
		"janus.transport.http.jcfg":   fmt.Sprintf("general: { http = true; port = %d; interface = \"lo\"; https = false; json = \"compact\" }\nadmin: { admin_http = false }\n", port),
		"janus.plugin.videoroom.jcfg": fmt.Sprintf("room-%d: { description = \"bench\"; publishers = 500; audiocodec = \"opus\"; videocodec = \"vp8\"; bitrate = 0; notify_joining = false; audiolevel_event = false; playoutdelay_ext = false; transport_wide_cc_ext = false }\n", janusRoom),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	cmd := exec.CommandContext(ctx, program, "-F", dir, "-N")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	j := &janus{cmd: cmd, dir: dir, base: fmt.Sprintf("http://127.0.0.1:%d/janus", port)}
	for range 100 {
		if r, err := http.Get(j.base + "/info"); err == nil {
			r.Body.Close()
			return j, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	j.close()
	return nil, fmt.Errorf("janus does not answer; see %s", filepath.Join(dir, "log"))
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (*janus) name() string { return "janus" }
func (j *janus) pid() int   { return j.cmd.Process.Pid }
func (j *janus) close() {
	_ = j.cmd.Process.Signal(os.Interrupt)
	_ = j.cmd.Wait()
	_ = os.RemoveAll(j.dir)
}

// post sends one request and returns the answer at once; what comes later comes
// by poll.
func (j *janus) post(ctx context.Context, path string, m janusMessage) (janusMessage, error) {
	m.Transaction = strconv.FormatUint(rand.Uint64(), 36)
	b, err := json.Marshal(m)
	if err != nil {
		return janusMessage{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, j.base+path, bytes.NewReader(b))
	if err != nil {
		return janusMessage{}, err
	}
	return answer(r)
}

func answer(r *http.Request) (janusMessage, error) {
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return janusMessage{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return janusMessage{}, err
	}
	var m janusMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return janusMessage{}, fmt.Errorf("%w: %s", err, b)
	}
	if m.Error != nil {
		return m, errors.New("janus: " + m.Error.Reason)
	}
	return m, nil
}

// add makes a session and, if it talks, publishes.
func (j *janus) add(ctx context.Context, talks bool, _ int, t *tally) (leaver, error) {
	created, err := j.post(ctx, "", janusMessage{Janus: "create"})
	if err != nil {
		return nil, err
	}
	polling, stop := context.WithCancel(ctx)
	p := &janusPerson{j: j, session: created.Data.ID, tally: t, events: make(chan janusMessage, 64), stop: stop}
	go p.poll(polling)
	if talks {
		if err := p.publish(ctx); err != nil {
			return nil, fmt.Errorf("publish: %w", err)
		}
	}
	j.mu.Lock()
	j.people = append(j.people, p)
	j.mu.Unlock()
	return p.leave, nil
}

func (p *janusPerson) path(handle uint64) string {
	if handle == 0 {
		return fmt.Sprintf("/%d", p.session)
	}
	return fmt.Sprintf("/%d/%d", p.session, handle)
}

func (p *janusPerson) poll(ctx context.Context) {
	for ctx.Err() == nil {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.j.base+p.path(0)+"?maxev=1", nil)
		if err != nil {
			return
		}
		m, err := answer(r)
		if err != nil {
			return
		}
		if m.Janus == "event" {
			select {
			case p.events <- m:
			case <-ctx.Done():
			}
		}
	}
}

// ask attaches a handle's message and waits for its event.
func (p *janusPerson) ask(ctx context.Context, handle uint64, body any, jsep *janusSession) (janusMessage, error) {
	if _, err := p.j.post(ctx, p.path(handle), janusMessage{Janus: "message", Body: body, JSEP: jsep}); err != nil {
		return janusMessage{}, err
	}
	for {
		select {
		case m := <-p.events:
			if e := m.PluginData.Data.Error; e != "" {
				return m, errors.New("janus: " + e)
			}
			if m.Sender == handle && m.PluginData.Data.VideoRoom != "event" || m.JSEP != nil {
				return m, nil
			}
		case <-ctx.Done():
			return janusMessage{}, ctx.Err()
		}
	}
}

func (p *janusPerson) attach(ctx context.Context) (uint64, error) {
	m, err := p.j.post(ctx, p.path(0), janusMessage{Janus: "attach", Plugin: "janus.plugin.videoroom"})
	return m.Data.ID, err
}

func (p *janusPerson) publish(ctx context.Context) (err error) {
	handle, err := p.attach(ctx)
	if err != nil {
		return err
	}
	if p.send, err = newConnection(p.tally, false); err != nil {
		return err
	}
	track, err := webrtc.NewTrackLocalStaticRTP(opus(), "audio", "own")
	if err != nil {
		return err
	}
	tr, err := p.send.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return err
	}
	d, err := p.send.CreateOffer(nil)
	if err != nil {
		return err
	}
	offer, err := local(ctx, p.send, d)
	if err != nil {
		return err
	}
	m, err := p.ask(ctx, handle, map[string]any{"request": "joinandconfigure", "room": janusRoom, "ptype": "publisher"}, &janusSession{"offer", offer})
	if err != nil {
		return err
	}
	if m.JSEP == nil {
		return errors.New("janus gave no answer")
	}
	p.feed = m.PluginData.Data.ID
	if err := p.send.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: m.JSEP.SDP}); err != nil {
		return err
	}
	if err := connected(ctx, p.send); err != nil {
		return err
	}
	go talk(ctx, track, tr.Sender(), p.tally)
	return nil
}

// ready has everybody receive all who talk, but themselves.
func (j *janus) ready(ctx context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, p := range j.people {
		if err := p.subscribe(ctx); err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
	}
	return nil
}

func (p *janusPerson) subscribe(ctx context.Context) (err error) {
	var streams []map[string]any
	for _, q := range p.j.people {
		if q != p && q.feed != 0 {
			streams = append(streams, map[string]any{"feed": q.feed})
		}
	}
	if len(streams) == 0 {
		return nil
	}
	handle, err := p.attach(ctx)
	if err != nil {
		return err
	}
	m, err := p.ask(ctx, handle, map[string]any{"request": "join", "room": janusRoom, "ptype": "subscriber", "streams": streams}, nil)
	if err != nil {
		return err
	}
	if m.JSEP == nil {
		return errors.New("janus made no offer")
	}
	if p.receive, err = newConnection(p.tally, false); err != nil {
		return err
	}
	if err := p.receive.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: m.JSEP.SDP}); err != nil {
		return err
	}
	d, err := p.receive.CreateAnswer(nil)
	if err != nil {
		return err
	}
	sdp, err := local(ctx, p.receive, d)
	if err != nil {
		return err
	}
	if _, err := p.j.post(ctx, p.path(handle), janusMessage{Janus: "message", Body: map[string]any{"request": "start"}, JSEP: &janusSession{"answer", sdp}}); err != nil {
		return err
	}
	return connected(ctx, p.receive)
}

func (p *janusPerson) leave() {
	p.stop()
	for _, pc := range []*webrtc.PeerConnection{p.send, p.receive} {
		if pc != nil {
			_ = pc.Close()
		}
	}
}
