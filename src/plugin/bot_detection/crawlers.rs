//! Crawlers that are refused by default, by what their User-Agent contains. (Kong: Bot Detection plugin, default rules.)

use std::sync::LazyLock;

use regex::bytes::{Regex, RegexBuilder};

/// Names that identify a crawler or a client library wherever they stand.
const NAMES: &[&str] = &[
    // Libraries of HTTP clients.
    "aihttp",
    "Apache-HttpClient",
    "axios",
    "Go-http-client",
    "Google-HTTP-Java-Client",
    "http%20client",
    "HttpMonitor",
    "JNLP",
    "okhttp",
    "Python-urllib",
    "reqwest",
    "scalaj-http",
    "TLSProber",
    "unirest-java",
    "unirest-net",
    "unirest-nodejs",
    "unirest-php",
    "unirest-python",
    "unirest-ruby",
    "WinHTTP",
    // Crawlers, feed readers, previews and scanners.
    "50.nu",
    "Aboundex",
    "AdsBot-Google",
    "altavista",
    "AppEngine-Google",
    "archiver",
    "Ask Jeeves",
    "bingbot",
    "BingPreview",
    "blitzbot",
    "BlogBridge",
    "Bloglovin",
    "BoardReader Blog Indexer",
    "BoardReader Favicon Fetcher",
    "BotName/$BotVersion",
    "BotSeer",
    "BUbiNG",
    "Catchpoint",
    "Charlotte",
    "charlotte",
    "Checklinks",
    "Cityreview Robot",
    "clumboot",
    "Daumoa",
    "Feed Seeker Bot",
    "Feedbin",
    "Finderbots",
    "findlinks",
    "Flamingo_SearchEngine",
    "FollowSite Bot",
    "furlbot",
    "Genieo",
    "gigabot",
    "GomezAgent",
    "gonzo1",
    "Google SketchUp",
    "Googlebot",
    "grub-client",
    "heritrix",
    "HiddenMarket",
    "holmes",
    "HooWWWer",
    "htdig",
    "Icarus6j",
    "ichiro",
    "IconSurf",
    "IlTrovatore",
    "InfuzApp",
    "InternetArchive",
    "Job Roboter",
    "KaloogaBot",
    "Kraken",
    "Kurzor",
    "larbin",
    "LEIA",
    "LesnikBot",
    "Linguee Bot",
    "LinkAider",
    "LinkedInBot",
    "Lite Bot",
    "Llaut",
    "lycos",
    "Mail.RU_Bot",
    "masidani_bot",
    "masscan",
    "Mediapartners-Google",
    "MJ12bot",
    "mogimogi",
    "mozDex",
    "msnbot",
    "msrbot",
    "Mtps Feed Aggregation System",
    "netresearch",
    "Netvibes",
    "NewsGator",
    "Nutch",
    "Nymesis",
    "ObjectsSearch",
    "OgScrper",
    "OOZBOT",
    "Orbiter",
    "PagePeeker",
    "PagesInventory",
    "PaxleFramework",
    "Peeplo Screenshot Bot",
    "PlantyNet_WebRobot",
    "Pompos",
    "Qwantify",
    "Read%20Later",
    "Reaper",
    "RedCarpet",
    "Retreiver",
    "Riddler",
    "Rival IQ",
    "scooter",
    "Scrapy",
    "Scrubby",
    "searchsight",
    "seekbot",
    "semanticdiscovery",
    "SemrushBot",
    "SEOstats",
    "SimplePie",
    "SimpleRSS",
    "Simpy",
    "SiteCat Webbot",
    "SiteCon",
    "Slack-ImgProxy",
    "Slackbot-LinkExpanding",
    "Slurp",
    "snappy",
    "Squrl Java",
    "Stringer",
    "TheUsefulbot",
    "ThumbShotsBot",
    "Thumbshots.ru",
    "Tiny Tiny RSS",
    "Twitterbot",
    "URL2PNG",
    "Vagabondo",
    "VoilaBot",
    "Votay bot",
    "Web-sniffer",
    "WebThumb",
    "WhatsApp",
    "WhatWeb",
    "WIRE",
    "WordPress",
    "Wotbox",
    "www.almaden.ibm.com",
    "yacy",
    "YahooSeeker",
    "YodaoBot",
    "YottaaMonitor",
    "Yowedo",
    "ZeBot_www.ze.bz",
    "ZooShot",
    "ZyBorg",
];

/// Regular expressions for what is no fixed text: names with a version behind them, and words that crawlers have in
/// their names.
const PATTERNS: &[&str] = &[
    // Words.
    r"(?i:spider|crawl)|[Ss]crape",
    r"(?:Archiver|[Ii]ndexer|[Bb]ot)[ /]\d",
    r"/(?:[A-z]+[Bb]ot|Axtaris|fetchurl|Isara|ShopSalad|Tailsweep)[ -]\d",
    r"jbot\b",
    r"\b\w{0,30}favicon\w{0,30}\b",
    // Names that identify a crawler only at the beginning, or with a version.
    r"^(?:NING|vortex|voyager|Zao)",
    r"\b(?:008|Altresium|Argus|BaiduMobaider|BoardReader|DNSGroup|DataparkSearch|EDI|Goodzer|Grub|INGRID|Infohelfer)/\d",
    r"\b(?:LOOQ|PathDefender|Peew|PostPost|Steeler|VSE|WebCrunch|WebZIP|Y!J-BR[A-Z]|envolk|sproose|wminer)/\d",
    r"facebookexternalhit/\d+\.\d",
    r"Pingdom\.com_bot_version_\d+\.\d",
    r" PTST/\d+\.?\d+$",
    r"Google.*/\+/web/snippet",
    // Clients of S3.
    r"\b(?:Boto3?|JetS3t|s3fs|aws-cli|aws-sdk-(?:cpp|go|java|nodejs|ruby2?|dotnet-(?:\d\d?|core)))/\d+\.\d",
    // Names with a part that varies.
    r"Accoona-[A-z]{1,30}-Agent",
    r"archive.{0,30}\.org_bot",
    r"boitho.com-dc",
    r"\bYeti",
    r"IP2[a-z]{1,30}Bot",
    r"Microsoft .{0,30} Bot",
    r"WASALive.Bot",
    r"WeSEE:[A-z]",
    r"Xenu(?:.s)? Link Sleuth",
    r"Xerka [A-z]{1,30}Bot",
    r"Yandex\w",
];

/// Whether a User-Agent is that of a crawler.
pub(super) fn is_crawler(user_agent: &[u8]) -> bool {
    /// All names and patterns in one expression, so that a text is read once.
    static CRAWLERS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let names = NAMES.iter().map(|name| regex::escape(name));
        let all: Vec<String> = names.chain(PATTERNS.iter().map(|pattern| (*pattern).to_owned())).collect();
        RegexBuilder::new(&all.join("|")).unicode(false).build().ok()
    });
    // The expression is constant, and a test shows that it compiles.
    CRAWLERS.as_ref().is_some_and(|crawlers| crawlers.is_match(user_agent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crawlers_and_client_libraries_are_recognised() {
        for crawler in [
            "Googlebot/2.1 (+http://www.google.com/bot.html)",
            "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "Twitterbot/1.0",
            "Mozilla/5.0 (compatible; YandexBot/3.0)",
            "Scrapy/2.11 (+https://scrapy.org)",
            "Go-http-client/1.1",
            "okhttp/4.9.0",
            "axios/1.6.2",
            "Python-urllib/3.11",
            "Boto3/1.26.0",
            "aws-sdk-java/2.20",
            "some-Spider",
            "MYCRAWLER",
            "acme-bot/2",
            "x/Acmebot-7",
            "Pingdom.com_bot_version_1.4",
            "Mozilla/5.0 Chrome/90 PTST/210",
            "vortex",
            "WhatsApp/2.23",
            "get-favicon-now",
        ] {
            assert!(is_crawler(crawler.as_bytes()), "{crawler}");
        }
    }

    #[test]
    fn browsers_and_other_clients_are_no_crawlers() {
        for client in [
            "",
            "curl/7.88.1",
            "Wget/1.21",
            "python-requests/2.31.0",
            "HTTPie/3.2",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 Version/17.1 Safari/604.1",
            "facebookexternalhit",
            "my vortex",
            "bot",
            "CUBOT",
            "aws-sdk-java",
        ] {
            assert!(!is_crawler(client.as_bytes()), "{client}");
        }
        assert!(!is_crawler(b"\xff\xfe"));
    }
}
