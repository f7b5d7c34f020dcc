# Reads feedback reports with Email::MIME, by the rules of Email::ARF::Report.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Email::MIME;
use Email::MIME::ContentType;
use Email::Simple;
use JSON::PP;

for my $path (glob "$ARGV[0]/*") {
    my ($file) = $path =~ m{([^/]+)$};
    my $reading = eval { reading($path) } || { fault => "$@" };
    print encode_json({ file => $file, %$reading }), "\n";
}

sub reading {
    my ($path) = @_;
    open my $in, '<:raw', $path or die "$path: $!";
    my $mail = Email::MIME->new(do { local $/; <$in> });
    my $whole = parse_content_type($mail->content_type);
    die "the whole is $whole->{type}/$whole->{subtype}\n"
        if "$whole->{type}/$whole->{subtype}" ne 'multipart/report'
        || ($whole->{attributes}{'report-type'} // '') ne 'feedback-report';
    my ($text, $report, $original) = $mail->subparts;
    die "fewer than three parts\n" if !$original;
    my $kind = parse_content_type($report->content_type);
    die "the second part is $kind->{type}/$kind->{subtype}\n"
        if "$kind->{type}/$kind->{subtype}" ne 'message/feedback-report';

    my $fields = Email::Simple->new($report->body);
    my %once;
    for my $name ('Feedback-Type', 'User-Agent', 'Version', 'Source-IP') {
        my @values = $fields->header($name);
        die "$name is there " . @values . " times\n" if @values != 1;
        $once{$name} = $values[0];
    }
    my $enclosed = $original->body_raw;
    Email::Simple->new($enclosed);
    $enclosed =~ s/\r\n/\n/g;
    return {
        type => $once{'Feedback-Type'}, agent => $once{'User-Agent'}, version => $once{Version}, source => $once{'Source-IP'},
        mailfrom => $fields->header('Original-Mail-From') // '', rcptto => $fields->header('Original-Rcpt-To') // '',
        original => sha256_hex($enclosed),
    };
}
