# Times SpamAssassin's own parser, as Debian ships it in the package spamassassin,
# on the lines of the first file and on the header sections in the others. Prints
# seconds of processor time per line, per header section, and per header section
# already split into fields; the last two with SpamAssassin's own trust walk.
use strict;
use warnings;
use Mail::SpamAssassin;

my ($lines_file, @header_files) = @ARGV;

sub slurp {
    open(my $fh, '<', $_[0]) or die "$_[0]: $!";
    local $/;
    return <$fh>;
}

sub processor_time {
    my ($user, $system) = times;
    return $user + $system;
}

sub per_item {
    my ($items, $work) = @_;
    my ($rounds, $start) = (0, processor_time());
    do {
        $work->($_) for @$items;
        $rounds++;
    } while (processor_time() - $start < 2);
    return (processor_time() - $start) / ($rounds * @$items);
}

my $sa = Mail::SpamAssassin->new({
    dont_copy_prefs => 1, local_tests_only => 1, config_text => "use_bayes 0\n",
});
$sa->init(0);

my @lines = split /\n/, slurp($lines_file);
my $metadata = $sa->parse("From: a\@b\n\nx\n", 1)->{metadata};
printf "%.9f\n", per_item(\@lines, sub { $metadata->parse_received_line($_[0]) });

my @headers = map { slurp($_) } @header_files;
my $status = Mail::SpamAssassin::PerMsgStatus->new($sa, $sa->parse($headers[0], 0));
printf "%.9f\n", per_item(\@headers, sub {
    my $message = $sa->parse($_[0], 0);
    $message->{metadata}->parse_received_headers($status, $message);
    $message->finish();
});

my @split = map { $sa->parse($_, 0) } @headers;
printf "%.9f\n", per_item(\@split, sub {
    $_[0]->{metadata}->parse_received_headers($status, $_[0]);
});
