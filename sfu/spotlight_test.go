package sfu

import "testing"

func TestTheSpotlightFollowsWhoSpeaksForAWhile(t *testing.T) {
	c := newCall(&Server{cfg: Config{Speakers: 8}}, testCall, false)
	for _, tt := range []struct {
		what   string
		levels []Level
		times  int
		want   uint32
	}{
		{"nobody is loud", []Level{{1, 90}, {2, 61}}, 5, 0},
		{"a word", []Level{{1, 30}}, 2, 0},
		{"a sentence", []Level{{1, 30}, {2, 50}}, 3, 1},
		{"somebody coughs", []Level{{1, 30}, {2, 20}}, 2, 1},
		{"and goes on to speak", []Level{{1, 30}, {2, 20}}, 1, 2},
		{"silence changes nothing", nil, 10, 2},
	} {
		for range tt.times {
			c.spot(tt.levels)
		}
		if c.light.on != tt.want {
			t.Errorf("%s: the light is on %d, not on %d", tt.what, c.light.on, tt.want)
		}
	}
}
