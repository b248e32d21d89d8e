// Command veche is the whole of Veche in one file: the server with its web app,
// the administrator's tool and the command-line client.
//
// Nothing is decided here. Each command has a small file that turns flags into
// a configuration, calls server or client, and writes what came of it.
//
// The exit status is 0 when what was asked is done, and else one of the
// numbers of exit.go; one sentence on standard error says why. Standard output
// carries results alone: with --json one JSON object per line.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is put in by the build (Makefile), from git describe.
var version = "unknown"

// commands is the whole command line. The order is that of the help.
type commands struct {
	Serve   serveCmd   `cmd:"" default:"withargs" group:"server" help:"Run the server. Also what plain \"veche\" does."`
	Init    initCmd    `cmd:"" group:"server" help:"Set up a site without a browser: organisation and first administrator."`
	Invite  inviteCmd  `cmd:"" group:"server" help:"Make a link for one new person."`
	Admin   adminCmd   `cmd:"" group:"server" help:"Reset a password, shut an account, make an administrator."`
	Backup  backupCmd  `cmd:"" group:"server" help:"Write the whole site into one file, while it runs or not."`
	Restore restoreCmd `cmd:"" group:"server" help:"Make a site of a backup."`
	Check   checkCmd   `cmd:"" group:"server" help:"Look whether the disk has damaged anything of the site."`
	Doctor  doctorCmd  `cmd:"" group:"server" help:"Try everything that people need the server for, and say what is wrong."`

	Login    loginCmd    `cmd:"" group:"client" help:"Sign this machine in, with a link or a server's address."`
	Logout   logoutCmd   `cmd:"" group:"client" help:"End this machine's session."`
	Password passwordCmd `cmd:"" group:"client" help:"Change your password."`
	People   peopleCmd   `cmd:"" group:"client" help:"List everybody at the site."`
	Rooms    roomsCmd    `cmd:"" group:"client" help:"List your conversations, newest first."`
	Room     roomCmd     `cmd:"" group:"client" help:"Make and change groups."`
	Send     sendCmd     `cmd:"" group:"client" help:"Send a message, and wait until it is on the server's disk."`
	Read     readCmd     `cmd:"" group:"client" help:"Show a conversation."`
	Fetch    fetchCmd    `cmd:"" group:"client" help:"Save the files of a message."`
	Calls    callsCmd    `cmd:"" group:"client" help:"List the calls that are going on."`
	Call     callCmd     `cmd:"" group:"client" help:"Take part in a conversation's call: play, record, count."`
	Devices  devicesCmd  `cmd:"" group:"client" help:"List your devices."`
	Device   deviceCmd   `cmd:"" group:"client" help:"Let a device in, turn it away, remove it."`

	Bench   benchCmd   `cmd:"" group:"other" help:"Measure this binary."`
	Version versionCmd `cmd:"" group:"other" help:"Show the version, who built it, and from what."`
	Help    helpCmd    `cmd:"" group:"other" help:"Show help for a command."`
}

const about = `Private messaging for an organisation, on its own server, sealed from end to end.

ROOM is a conversation's id, a group's name, or @NAME for the direct chat with a person. Exit status: 0 done, 1 refused or failed, 2 wrong use, 3 the server cannot be reached, 4 not signed in or not let in yet, 5 kept here until you decide who may read it.`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], &term{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

// run parses args, carries the command out and returns the exit status.
func run(ctx context.Context, args []string, t *term) int {
	var c commands
	k, err := kong.New(&c,
		kong.Name("veche"),
		kong.Description(about),
		kong.Writers(t.out, t.err),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "server", Title: "Server:"},
			{Key: "client", Title: "Client:"},
			{Key: "other", Title: "Other:"},
		}),
		kong.Vars{"profile": defaultProfile(), "device": deviceName()},
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(t),
	)
	if err != nil {
		return t.fail(fmt.Errorf("read the command table: %w", err))
	}
	parsed, err := k.Parse(args)
	if err != nil {
		return t.fail(usageError{err})
	}
	if err := parsed.Run(k); err != nil {
		return t.fail(err)
	}
	return exitDone
}

// defaultProfile is where a client keeps its device unless told otherwise.
func defaultProfile() string {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "veche")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "veche-profile"
	}
	return filepath.Join(home, ".local", "share", "veche")
}

type helpCmd struct {
	Command []string `arg:"" optional:"" help:"Command to explain."`
}

func (h helpCmd) Run(k *kong.Kong) error {
	_, err := k.Parse(append(h.Command, "--help")) // shows the help and ends the process
	if err != nil {
		return usageError{err}
	}
	return nil
}

// readSecret returns the first line of the file name, or of standard input if
// name is "-", so that passwords and keys stay out of process lists.
func readSecret(t *term, name string) (string, error) {
	var r io.Reader = t.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", usageError{err}
		}
		defer f.Close()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, 4096))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	line := firstLine(string(b))
	if line == "" {
		return "", usageError{fmt.Errorf("%s is empty: its first line is the secret", name)}
	}
	return line, nil
}
