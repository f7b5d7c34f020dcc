# Reads feedback reports with Sisimai.
use strict;
use warnings;
use JSON::PP;
use Sisimai;

for my $path (glob "$ARGV[0]/*") {
    my ($file) = $path =~ m{([^/]+)$};
    my $read = Sisimai->make($path) || [];
    my ($one) = grep { $_->reason eq 'feedback' } @$read;
    if (!$one) {
        print encode_json({ file => $file, fault => 'no feedback report' }), "\n";
        next;
    }
    print encode_json({
        file   => $file,
        type   => '' . $one->feedbacktype,
        source => '' . $one->rhost,
        rcptto => '' . $one->recipient->address,
    }), "\n";
}
