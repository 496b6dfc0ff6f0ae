//! Values that the name of a property suggests, where its schema does not restrict them.

use super::rounded_decimal::RoundedDecimal;

/// A text for a property of this name.
pub(super) fn text_for(name: &str) -> Option<&'static str> {
    Some(match &*normalize(name) {
        "email" | "emailaddress" | "mail" => "user@example.com",
        "name" | "fullname" | "displayname" => "Ada Lovelace",
        "firstname" | "givenname" | "forename" => "Ada",
        "lastname" | "surname" | "familyname" => "Lovelace",
        "username" | "login" | "nickname" => "ada",
        "phone" | "phonenumber" | "mobile" | "telephone" | "tel" | "fax" => "+12025550143",
        "url" | "uri" | "href" | "link" | "website" | "homepage" | "webpage" => "https://example.com/",
        "host" | "hostname" | "domain" | "domainname" => "example.com",
        "ip" | "ipaddress" | "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "avatar" | "avatarurl" | "image" | "imageurl" | "photo" | "photourl" | "thumbnail" | "picture" => {
            "https://example.com/image.png"
        }
        "street" | "address" | "addressline1" | "streetaddress" => "1 Example Street",
        "city" | "town" => "London",
        "state" | "region" | "province" | "county" => "Greater London",
        "zip" | "zipcode" | "postalcode" | "postcode" => "12345",
        "country" | "countryname" => "United Kingdom",
        "countrycode" => "GB",
        "currency" | "currencycode" => "USD",
        "language" | "locale" | "lang" => "en-GB",
        "timezone" | "tz" => "Europe/London",
        "company" | "companyname" | "organization" | "organisation" => "Example Ltd",
        "title" | "subject" | "headline" => "A title",
        "description" | "summary" | "comment" | "note" | "notes" => "A short description",
        "message" | "text" | "content" | "body" => "A short text",
        "color" | "colour" => "#336699",
        "price" | "amount" | "total" | "cost" => "9.99",
        "date" | "birthday" | "birthdate" | "dateofbirth" => "2019-08-24",
        "createdat" | "updatedat" | "deletedat" | "timestamp" | "datetime" | "created" | "updated" => {
            "2019-08-24T14:15:22Z"
        }
        "version" => "1.0.0",
        "mimetype" | "contenttype" | "mediatype" => "text/plain",
        "filename" => "file.txt",
        "uuid" | "guid" => "7d3a4c5e-1f20-4b6a-9c8d-0e1f2a3b4c5d",
        _ => return None,
    })
}

/// A number for a property of this name.
pub(super) fn number_for(name: &str) -> Option<RoundedDecimal> {
    RoundedDecimal::parse(match &*normalize(name) {
        "age" => "36",
        "price" | "amount" | "total" | "cost" => "9.99",
        "latitude" | "lat" => "51.5",
        "longitude" | "lng" | "lon" | "long" => "-0.12",
        "year" => "2019",
        "port" => "8080",
        "limit" | "pagesize" | "perpage" => "20",
        "percent" | "percentage" => "50",
        "rating" | "score" => "4",
        "width" => "640",
        "height" => "480",
        _ => return None,
    })
}

/// The name in lower case, without separators of words.
fn normalize(name: &str) -> String {
    name.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
