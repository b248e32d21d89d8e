package sfu

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/veche-im/veche/sfu/bwe"
	"github.com/veche-im/veche/sfu/video"
)

// TestOthersReadOurReports has another implementation read what we write.
func TestOthersReadOurReports(t *testing.T) {
	read := func(b []byte) rtcp.Packet {
		t.Helper()
		all, err := rtcp.Unmarshal(b)
		if err != nil || len(all) != 1 {
			t.Fatalf("%x: %v, %d packets", b, err, len(all))
		}
		return all[0]
	}
	if p, ok := read(appendPLI(nil, 1, 2)).(*rtcp.PictureLossIndication); !ok || p.SenderSSRC != 1 || p.MediaSSRC != 2 {
		t.Errorf("PLI: %+v", p)
	}
	for _, lost := range [][]uint16{{7}, {7, 8, 23}, {7, 24}, {65_530, 65_535, 0, 10, 11}, {1, 100, 200, 300, 316, 317}} {
		p, ok := read(appendNACK(nil, 1, 2, lost)).(*rtcp.TransportLayerNack)
		if !ok {
			t.Fatal("no NACK")
		}
		var got []uint16
		for _, pair := range p.Nacks {
			got = append(got, pair.PacketList()...)
		}
		if !slices.Equal(got, lost) {
			t.Errorf("NACK of %v is read as %v", lost, got)
		}
	}
	sr, ok := read(appendSenderReport(nil, 5, video.Report{NTP: 1 << 40, Timestamp: 99}, 3, 4)).(*rtcp.SenderReport)
	if !ok || sr.SSRC != 5 || sr.NTPTime != 1<<40 || sr.RTPTime != 99 || sr.PacketCount != 3 || sr.OctetCount != 4 {
		t.Errorf("sender report: %+v", sr)
	}
	var rec bwe.Recorder
	r := rand.New(rand.NewPCG(2, 2))
	now, seq, came := time.Second, uint16(65_400), 0
	for range 400 {
		now += time.Duration(r.IntN(90)) * time.Millisecond
		if seq++; r.IntN(4) > 0 {
			rec.Record(now, seq)
			came++
		}
	}
	told := 0
	for b := rec.Feedback(nil, 1, 2); len(b) > 0; b = rec.Feedback(nil, 1, 2) {
		cc, ok := read(b).(*rtcp.TransportLayerCC)
		if !ok {
			t.Fatal("no transport-wide feedback")
		}
		told += len(cc.RecvDeltas)
	}
	if told != came {
		t.Errorf("%d packets came, %d are told", came, told)
	}
}

func TestReportsThatAreCutShortAreLeft(t *testing.T) {
	b := appendPLI(appendPLI(nil, 1, 2), 3, 4)
	for n := range len(b) {
		whole := 0
		eachReport(b[:n], func([]byte) { whole++ })
		if whole != n/12 {
			t.Errorf("%d reports in %d bytes", whole, n)
		}
	}
}
