package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/veche-im/veche/cmd/veche/load"
)

type benchConversationsCmd struct {
	loadFlags
	Rooms    int           `default:"200" placeholder:"N" help:"Rooms (default ${default})."`
	Members  int           `default:"10" placeholder:"N" help:"Members of each, all online (default ${default})."`
	InFlight int           `default:"64" placeholder:"N" help:"Messages on their way at a time (default ${default})."`
	Rate     float64       `placeholder:"N" help:"Messages a second for the second part (default: half of what the first reached)."`
	Peak     bool          `help:"No second part."`
	For      time.Duration `default:"10s" help:"How long each part is measured (default ${default})."`
}

// spokenRow is one part in JSON. Times are in milliseconds.
type spokenRow struct {
	Work         string  `json:"work"`
	Target       string  `json:"target"`
	PerSecond    float64 `json:"acknowledged_per_second"`
	Deliveries   float64 `json:"deliveries_per_second"`
	ToAckP50     float64 `json:"to_acknowledgement_p50"`
	ToAckP99     float64 `json:"to_acknowledgement_p99"`
	ToLastP50    float64 `json:"to_last_member_p50"`
	ToLastP99    float64 `json:"to_last_member_p99"`
	PerThousand  float64 `json:"server_cpu_seconds_per_1000"`
	DriverPer    float64 `json:"driver_cpu_seconds_per_1000"`
	RSS          int64   `json:"server_rss_bytes"`
	Acknowledged int64   `json:"acknowledged"`
	Refused      int64   `json:"refused_and_sent_again"`
}

func (c benchConversationsCmd) Run(ctx context.Context, t *term) (err error) {
	if c.Rooms < 1 || c.Members < 2 || c.InFlight < 1 || c.For <= 0 {
		return usageError{errors.New("there must be a room, two members, a message on its way and some time")}
	}
	machine, err := c.machine()
	if err != nil {
		return err
	}
	t.note("%s", machine)
	l := load.Groups(c.Rooms, c.Members)
	b, err := c.prepare(ctx, t, l)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	f, err := load.Board(ctx, b.target, l)
	if err != nil {
		return err
	}
	defer f.Close()
	t.note("%d connected", l.People)
	rows := [][]string{}
	part := func(name string, cfg load.ConversationsConfig) (load.Spoken, error) {
		cfg.For = c.For
		s, err := load.Conversations(ctx, f, cfg)
		if err != nil {
			return s, err
		}
		row := spoken(name, b.target.Name(), s)
		if c.JSON {
			return s, t.object(row)
		}
		rows = append(rows, []string{
			row.Work, row.Target, fmt.Sprintf("%.0f", row.PerSecond), fmt.Sprintf("%.0f", row.Deliveries),
			ms(s.ToAck.Quantile(0.5)), ms(s.ToAck.Quantile(0.99)), ms(s.ToLast.Quantile(0.5)), ms(s.ToLast.Quantile(0.99)),
			fmt.Sprintf("%.3f s", row.PerThousand), fmt.Sprintf("%.3f s", row.DriverPer), bytesText(row.RSS),
		})
		return s, nil
	}
	done := b.profile(ctx, c.For)
	peak, err := part("conversations", load.ConversationsConfig{InFlight: c.InFlight})
	if err := errors.Join(err, done()); err != nil {
		return err
	}
	rate := c.Rate
	if rate == 0 {
		rate = peak.PerSecond() / 2
	}
	if !c.Peak {
		if _, err := part(fmt.Sprintf("at %.0f a second", rate), load.ConversationsConfig{Rate: rate}); err != nil {
			return err
		}
	}
	if c.JSON {
		return nil
	}
	return t.table([]string{"WORK", "SERVER", "ACK/S", "DELIVERIES/S", "ACK P50", "P99", "LAST MEMBER P50", "P99", "CPU PER 1,000", "DRIVER", "RSS"}, rows)
}

func spoken(work, target string, s load.Spoken) spokenRow {
	milli := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return spokenRow{
		Work: work, Target: target, PerSecond: s.PerSecond(), Deliveries: s.DeliveredPerSecond(),
		ToAckP50: milli(s.ToAck.Quantile(0.5)), ToAckP99: milli(s.ToAck.Quantile(0.99)),
		ToLastP50: milli(s.ToLast.Quantile(0.5)), ToLastP99: milli(s.ToLast.Quantile(0.99)),
		PerThousand: s.PerThousand(), DriverPer: s.Driver.Seconds() * 1000 / max(1, float64(s.Acknowledged)),
		RSS: s.RSS, Acknowledged: s.Acknowledged, Refused: s.Refused,
	}
}
