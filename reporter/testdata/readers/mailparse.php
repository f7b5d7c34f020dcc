<?php
// Reads feedback reports with mailparse, by the rules of AbuseIO: see README.md.

function reading(string $mail): array
{
    $message = mailparse_msg_create();
    mailparse_msg_parse($message, $mail);
    $content = $text = [];
    foreach (mailparse_msg_get_structure($message) as $id) {
        $part = mailparse_msg_get_part_data(mailparse_msg_get_part($message, $id));
        $body = substr($mail, $part['starting-pos-body'], $part['ending-pos-body'] - $part['starting-pos-body']);
        if (isset($part['content-disposition']) || isset($part['content-name'])) {
            $content[$part['content-type']] = $body; // the last one, however deep
        } elseif ($part['content-type'] === 'text/plain') {
            $text[] = $body;
        }
    }
    foreach (['message/feedback-report', 'message/rfc822'] as $kind) {
        if (!isset($content[$kind])) {
            return ['fault' => "no attachment is $kind"];
        }
    }
    if (!$text || trim($text[0]) === '') {
        return ['fault' => 'no text'];
    }
    mailparse_msg_free($message);
    preg_match_all('/([\w\-]+): (.*)[ ]*\r?\n/', $content['message/feedback-report'] . "\n", $found);
    $report = array_map(fn ($v) => rtrim($v, "\r"), array_combine($found[1], $found[2]));
    $report['Received-Date'] ??= $report['Arrival-Date'] ?? '';
    foreach (['Source-IP', 'Feedback-Type', 'Received-Date'] as $field) {
        if (empty($report[$field])) {
            return ['fault' => "no $field"];
        }
    }
    if ($report['Feedback-Type'] !== 'abuse') {
        return ['fault' => "type is {$report['Feedback-Type']}"];
    }
    if (!filter_var($report['Source-IP'], FILTER_VALIDATE_IP) || !strtotime($report['Received-Date'])) {
        return ['fault' => "no address or no date: {$report['Source-IP']}, {$report['Received-Date']}"];
    }
    return [
        'type' => $report['Feedback-Type'], 'source' => $report['Source-IP'], 'arrival' => strtotime($report['Received-Date']),
    ];
}

foreach (glob($argv[1] . '/*') as $path) {
    echo json_encode(['file' => basename($path)] + reading(file_get_contents($path)), JSON_INVALID_UTF8_SUBSTITUTE), "\n";
}
