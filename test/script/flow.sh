#!/usr/bin/env bash
# The whole of Veche without a browser, by its commands alone: three people, a
# direct chat, files, a group, a removal, a server that is away while people
# write. Prints one line for each claim, in TAP (https://testanything.org).
#
#   VECHE=bin/veche test/script/flow.sh
#
# Everything happens in a new directory under TMPDIR, on loopback; nothing is
# left behind unless KEEP is set.
set -u
VECHE=${VECHE:?set VECHE to the binary}
dir=$(mktemp -d "${TMPDIR:-/tmp}/veche-flow.XXXXXX")
data=$dir/data
server=
follower=
count=0
failed=0

finish() {
  for process in $server $follower; do
    kill "$process" 2>/dev/null && wait "$process" 2>/dev/null
  done
  [ -n "${KEEP:-}" ] || rm -rf "$dir"
}
trap finish EXIT

# claim WORDS COMMAND…: the command must succeed.
claim() {
  local words=$1
  shift
  count=$((count + 1))
  if "$@"; then
    echo "ok $count - $words"
  else
    failed=$((failed + 1))
    echo "not ok $count - $words"
    tail -n 5 "$dir/err" | sed 's/^/# /'
  fi
}
give_up() {
  echo "Bail out! $1"
  sed 's/^/# /' "$dir/server.log" "$dir/err" | tail -n 40
  exit 1
}

# v WHO COMMAND…: a command of one person; what it complains of is kept.
v() {
  local who=$1
  shift
  "$VECHE" "$@" --profile "$dir/$who" 2>>"$dir/err"
}
field() { sed -n 's/.*"'"$1"'":"\{0,1\}\([^",}]*\).*/\1/p'; }
texts() { v "$1" read "$2" --json | sed -n 's/.*"text":"\([^"]*\)".*/\1/p'; }
same() { [ "$1" = "$2" ] || { printf '# expected: %s\n# got:      %s\n' "$2" "$1"; return 1; }; }
not() { ! "$@"; }
has() { grep -qF -- "$2" <<<"$1"; }

serve() {
  : >"$dir/server.log"
  "$VECHE" serve --data "$data" --listen "${1:-127.0.0.1:0}" --local "${2:-127.0.0.1:0}" --metrics off >>"$dir/server.log" 2>&1 &
  server=$!
  for _ in $(seq 300); do
    url=$(grep -o 'https://[^ /"]*:[0-9]*' "$dir/server.log" | head -n 1)
    [ -n "$url" ] && "$VECHE" version >/dev/null && curl_ready && return 0
    kill -0 "$server" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}
# The server says its addresses once it listens on them.
curl_ready() { [ -n "$url" ]; }

echo "TAP version 13"
echo "correct horse ann" >"$dir/ann.pw"
echo "correct horse bob" >"$dir/bob.pw"
echo "correct horse cy" >"$dir/cy.pw"

# --- a site ------------------------------------------------------------------
claim "a site is set up without a browser" \
  "$VECHE" init --data "$data" --org "Novgorod" --admin ann --password-file "$dir/ann.pw"
serve || give_up "the server did not start"
ca=$data/tls/ca.pem

entered=$(v ann login "$url" --name ann --password-file "$dir/ann.pw" --ca "$ca" --json) || give_up "ann cannot sign in"
claim "the first device gets a recovery key, once" has "$entered" '"recoveryKey":"'
recovery=$(field recoveryKey <<<"$entered")

for who in bob cy; do
  link=$("$VECHE" invite --data "$data" --json 2>>"$dir/err" | field link)
  claim "an invite for $who is a link" has "$link" '/join#'
  v "$who" login "$link" --name "$who" --password-file "$dir/$who.pw" --ca "$ca" --json >/dev/null || give_up "$who cannot sign up"
done
claim "an invite works once" not v eve login "$link" --name eve --password-file "$dir/cy.pw" --ca "$ca"
claim "everybody is listed" same "$(v ann people --json | field name | sort | tr '\n' ' ')" "ann bob cy "
claim "a wrong password opens nothing" not v eve login "$url" --name ann --password-file "$dir/bob.pw" --ca "$ca"

# --- a direct chat -----------------------------------------------------------
sent=$(v ann send @bob "privet, bob" --json)
claim "a sent message has a number" test "$(field seq <<<"$sent")" -gt 0
direct=$(field room <<<"$sent")
claim "bob reads it" same "$(texts bob @ann)" "privet, bob"
v bob send @ann "privet, ann" >/dev/null
claim "ann reads the answer" same "$(texts ann @bob | tail -n 1)" "privet, ann"
claim "both mean the same conversation" same "$(v bob read @ann --json | head -n 1 | field room)" "$direct"

# --- files -------------------------------------------------------------------
head -c 3000000 /dev/urandom >"$dir/big.bin"
printf 'GIF89a\001\000\001\000\200\000\000\000\000\000\377\377\377!\371\004\001\000\000\000\000,\000\000\000\000\001\000\001\000\000\002\002D\001\000;' >"$dir/dot.gif"
seq=$(v ann send @bob "a large one" --file "$dir/big.bin" --json | field seq)
v bob fetch @ann "$seq" --out "$dir/bob.files" >/dev/null
claim "a file of 3 MB goes from ann to bob" cmp -s "$dir/big.bin" "$dir/bob.files/big.bin"
seq=$(v bob send @ann "" --file "$dir/dot.gif" --file "$dir/big.bin" --json | field seq)
v ann fetch @bob "$seq" --out "$dir/ann.files" >/dev/null
claim "two files go from bob to ann" cmp -s "$dir/dot.gif" "$dir/ann.files/dot.gif"
claim "both of them" cmp -s "$dir/big.bin" "$dir/ann.files/big.bin"
claim "a picture is known as one" has "$(v ann read @bob --since $((seq - 1)) --json)" '"type":"image/gif"'
v ann fetch @bob "$seq" --out "$dir/ann.files" >/dev/null
claim "fetching again overwrites nothing" test -f "$dir/ann.files/dot (2).gif"

# --- a group of three --------------------------------------------------------
room=$(v ann room create "Council" bob cy --json | field room)
claim "a group has an id" test -n "$room"
v ann send "$room" "to all of you" >/dev/null
claim "bob reads the group by its name" same "$(texts bob Council)" "to all of you"
claim "cy reads it too" same "$(texts cy Council)" "to all of you"
v cy send Council "cy was here" >/dev/null
claim "all see one order" same "$(texts bob Council | tr '\n' '|')" "to all of you|cy was here|"

# --- removal -----------------------------------------------------------------
claim "somebody who is no owner cannot remove" not v bob room remove Council cy
v ann room remove Council cy || true
v ann send Council "not for cy: thunderstone" >/dev/null
v bob send Council "indeed: thunderstone" >/dev/null
claim "who stays reads on" has "$(texts bob Council)" "not for cy: thunderstone"
claim "the removed one gets nothing that follows" not has "$(texts cy "$room")" "thunderstone"
claim "it is not on the removed one's disk" not grep -rqF thunderstone "$dir/cy"
claim "the removed one keeps what was said before" has "$(texts cy "$room")" "to all of you"
claim "the removed one cannot write" not v cy send "$room" "let me in"
claim "and nobody hears it" not has "$(texts ann Council)" "let me in"

# --- groups change -----------------------------------------------------------
v ann room rename Council "Great Council"
v bob rooms >/dev/null
claim "a new name reaches the others" has "$(v bob rooms --json)" '"title":"Great Council"'
v ann room add "Great Council" cy || true
v ann send "$room" "welcome back" >/dev/null
claim "who is taken in again reads what follows" has "$(texts cy "$room")" "welcome back"
claim "and still nothing of the time between" not has "$(texts cy "$room")" "thunderstone"
v cy room leave "$room"
v ann send "$room" "cy has gone" >/dev/null
claim "who left gets nothing that follows" not has "$(texts cy "$room")" "cy has gone"
claim "the members are those who are in" same "$(v ann room show "$room" --json | grep -o '"name":"[a-z]*"' | sort -u | tr '\n' ' ')" '"name":"ann" "name":"bob" '
v ann room rename "$room" Council

# --- following ---------------------------------------------------------------
"$VECHE" read @ann --follow --json --profile "$dir/bob" >"$dir/followed" 2>>"$dir/err" &
follower=$!
until grep -q privet "$dir/followed"; do kill -0 $follower || break; sleep 0.1; done
claim "one can write while following" v bob send @ann "while I read"
v ann send @bob "and I hear you" >/dev/null
for _ in $(seq 100); do grep -q "I hear you" "$dir/followed" && break; sleep 0.1; done
claim "who follows sees what comes, once" same "$(grep -c -e "while I read" -e "I hear you" "$dir/followed")" 2
kill $follower && wait $follower
claim "following ends well when asked to" test $? = 0
follower=

# --- the server is away ------------------------------------------------------
kill "$server" && wait "$server"
server=
listen=${url#https://}
for n in 1 2 3; do
  v ann send @bob "ann offline $n" --wait 0s >/dev/null
  claim "without a server ann is told so ($n)" test $? = 3
  v bob send @ann "bob offline $n" --wait 0s >/dev/null
done
claim "what is stored can be read without a server" has "$(texts ann @bob)" "privet, ann"
serve "127.0.0.1:${listen##*:}" || give_up "the server did not start again"
v ann rooms >/dev/null # any command lets what waits leave
v bob rooms >/dev/null
mine=$(v ann read @bob --json | sed 's/.*"seq":\([0-9]*\).*"text":"\([^"]*\)".*/\1 \2/')
theirs=$(v bob read @ann --json | sed 's/.*"seq":\([0-9]*\).*"text":"\([^"]*\)".*/\1 \2/')
claim "both have the same messages in the same order" same "$mine" "$theirs"
for who in ann bob; do
  claim "what $who wrote without a server is there once, in order" \
    same "$(grep -o "$who offline [0-9]" <<<"$mine" | tr '\n' ' ')" "$who offline 1 $who offline 2 $who offline 3 "
done

# --- a further device --------------------------------------------------------
echo "$recovery" >"$dir/recovery"
claim "the recovery key lets a further device in" \
  v ann2 login "$url" --name ann --password-file "$dir/ann.pw" --ca "$ca" --recovery-key-file "$dir/recovery"
code=$(v ann3 login "$url" --name ann --password-file "$dir/ann.pw" --ca "$ca" --json | field code)
claim "another one shows a code" test -n "$code"
claim "a device with the same code waits" has "$(v ann devices --json)" "$code"
claim "it can be let in" v ann device approve "$code"
v ann send Council "for all my devices" >/dev/null
v ann2 rooms >/dev/null
v ann3 rooms >/dev/null
v bob send Council "hello to all devices" >/dev/null
for who in ann2 ann3; do
  claim "$who reads what follows" has "$(texts $who "$room")" "hello to all devices"
done
gone=$(v ann2 devices --json | grep '"this":true' | field device)
v ann device revoke "$gone"
claim "a device that was removed hears nothing more" not v ann2 send "$room" "from beyond"

# --- passwords, and accounts that are shut -----------------------------------
admin() { "$VECHE" admin "$@" --data "$data" 2>>"$dir/err"; }
signin() { v "$1" login "$url" --name bob --password-file "$2" --ca "$ca"; }
echo "qwerty12345" >"$dir/easy.pw"
echo "seven lazy badgers" >"$dir/bob2.pw"
echo "eight eager otters" >"$dir/bob3.pw"
claim "a password that is easily guessed is refused" not v bob password --old-file "$dir/bob.pw" --new-file "$dir/easy.pw"
claim "so is a change with a wrong old one" not v bob password --old-file "$dir/bob2.pw" --new-file "$dir/bob3.pw"
claim "the old one changes it" v bob password --old-file "$dir/bob.pw" --new-file "$dir/bob2.pw"
claim "the old one is good no longer" not signin bob-old "$dir/bob.pw"
link=$(admin reset bob)
claim "an administrator makes a link to a new one" has "$link" "$url/reset#"
code=$(v bob2 login "$link" --password-file "$dir/bob3.pw" --ca "$ca" --json | field code)
claim "the link sets it, and its device waits to be let in" test -n "$code"
claim "it works once" not v bob4 login "$link" --password-file "$dir/bob.pw" --ca "$ca"
claim "the person's own device is asked" has "$(v bob devices --json)" "$code"
claim "and lets it in" v bob device approve "$code"
v bob2 rooms >/dev/null
v ann send @bob "with a new password" >/dev/null
claim "then it reads what follows" has "$(texts bob2 @ann)" "with a new password"
claim "an account is shut" admin shut bob
claim "everybody sees that" has "$(v ann people)" "account shut"
v bob send @ann "still here" >/dev/null
claim "its devices are signed out" test $? = 4
claim "nobody signs in to it" not signin bob-new "$dir/bob3.pw"
claim "the last administrator is not shut" not admin shut ann
claim "it is opened again" admin open bob
claim "with a wrong password nobody goes on" not signin bob "$dir/bob.pw"
claim "its device goes on with the right one" has "$(signin bob "$dir/bob3.pw")" "Signed in as bob"
v ann send @bob "welcome back, bob" >/dev/null
claim "as the device that it was" has "$(texts bob @ann)" "welcome back, bob"
claim "whoever is signed out by the administrator" admin sign-out bob
v bob2 send @ann "still here" >/dev/null
claim "has to show the password" test $? = 4
claim "keeps what is stored from who signs in as somebody else" not v bob2 login "$url" --name ann --password-file "$dir/ann.pw" --ca "$ca"
claim "who is told whose it is, and how to remove it" has "$(tail -n 1 "$dir/err")" "that of bob: sign in under that name, use another --profile, or remove what is stored here with veche logout --forget"
claim "and goes on then" has "$(signin bob2 "$dir/bob3.pw")" "Signed in as bob"
claim "all of it is in the log, and no password" same "$(grep -c -e event=password_changed -e event=reset_link_made -e event=password_reset -e event=account_shut "$dir/server.log")-$(grep -c -F -f "$dir/bob2.pw" -f "$dir/bob3.pw" "$dir/server.log")" "4-0"

v bob logout --forget
claim "a device that forgets leaves no key and no message behind" not test -e "$dir/bob/key" -o -e "$dir/bob/veche.db"

echo "1..$count"
[ "$failed" = 0 ]
