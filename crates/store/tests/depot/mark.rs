use crate::each;
use tiltyard_store::depot::Mark;

// O16: a place says whose bytes it holds, to every server that looks.
#[test]
fn o16_a_place_says_whose_bytes_it_holds() {
    each(|site| {
        let depot = site.open("a");
        assert_eq!(depot.mark().unwrap(), None);
        let mut mark = Mark { store: "abc".to_owned(), epoch: 1, seq: 7, held: false };
        depot.set_mark(&mark).unwrap();
        assert_eq!(depot.mark().unwrap().as_ref(), Some(&mark));
        mark.seq = 9;
        depot.set_mark(&mark).unwrap();
        assert_eq!(site.open("a").mark().unwrap(), Some(mark));
        assert!(depot.mark_place().ends_with("store-id"), "{}", depot.mark_place());
    });
}
