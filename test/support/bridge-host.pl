# Stands where the host's process stands and carries its stdio to the test, which is the host. In
# Perl, which Debian always has, because a thousand tests start it and Node takes four times as long.
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;

my $test = IO::Socket::UNIX->new(Peer => $ARGV[0]) or exit 1;
my %leads_to = (fileno(STDIN) => $test, fileno($test) => \*STDOUT);
my $readable = IO::Select->new(\*STDIN, $test);
$SIG{PIPE} = 'IGNORE';

while (1) {
  for my $from ($readable->can_read) {
    my $to = $leads_to{fileno($from)};
    if (sysread($from, my $bytes, 65536)) {
      my $sent = 0;
      while ($sent < length $bytes) {
        my $more = syswrite($to, $bytes, length($bytes) - $sent, $sent) // last;
        $sent += $more;
      }
    } elsif ($from == $test) {
      exit($ENV{CODEX_CHAT_TEST_EXIT} // 0);
    } else {
      $readable->remove($from);
      shutdown($test, 1);
    }
  }
}
